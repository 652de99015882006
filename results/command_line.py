"""Command line of `python -m results`: rebuild, compare and export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from results import records
from results.remote.uri import is_uri
from spaces import disk
from spaces.argument_parser import CommandParser
from spaces.errors import UserError, exits_on_user_error

COMMANDS = ("rebuild", "compare", "export")
USAGE = (
    "python -m results [rebuild] RUN\n       python -m results compare RUN [RUN …]\n       python -m results export RUN"
)
DESCRIPTION = "Tables, pictures, report, comparison and export of experiments, from the rows in their folders."


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code, 2 on a user error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] not in (*COMMANDS, "-h", "--help", "--version"):
        words.insert(0, "rebuild")
    options = vars(results_parser().parse_args(words))
    match options.pop("command"):
        case "rebuild":
            _run_rebuild(**options)
        case "compare":
            _run_compare(**options)
        case "export":
            _run_export(**options)
    return 0


def results_parser() -> CommandParser:
    """Return the parser of all commands."""
    parser = CommandParser(prog="python -m results", usage=USAGE, description=DESCRIPTION)
    parser.add_version()
    commands = parser.add_subparsers(prog="python -m results", dest="command", required=True, metavar="COMMAND")
    add_rebuild(commands, "rebuild")
    add_compare(commands)
    add_export(commands)
    return parser


def add_rebuild(commands: argparse._SubParsersAction, name: str) -> None:
    """Add the command for all tables, under this name."""
    text = "print the tables of an experiment, and write them, the pictures and the report page again"
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("run", metavar="RUN", help="an experiment folder, such as runs/mnist_hinton, or its URI")


def add_compare(commands: argparse._SubParsersAction) -> None:
    """Add the comparison of experiments."""
    text = "print several experiments in one leaderboard, or side by side, as Markdown"
    parser = commands.add_parser("compare", help=text, description=text)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="experiment folders, or their URIs")
    layout = parser.add_mutually_exclusive_group()
    layouts = {
        "best": "best configuration, baseline and cost",
        "every": "all configurations of each",
        "gains": "ranked configurations and their gains",
    }
    for name, content in layouts.items():
        flag = {"action": "store_const", "const": name, "dest": "layout"}
        layout.add_argument(f"--{name}", **flag, help=f"side by side: {content}")
    parser.add_argument("--csv", metavar="FILE", help="write all configurations as numbers")


def add_export(commands: argparse._SubParsersAction) -> None:
    """Add the export of students."""
    text = "write the best students by validation as safetensors, ONNX, a recipe and a card"
    parser = commands.add_parser("export", help=text, description=text)
    parser.add_argument("folder", metavar="RUN", help="an experiment folder, such as runs/mnist_hinton, or its URI")
    parser.add_argument(
        "--top", type=_positive_integer, default=1, metavar="K", help="export the best K into DIR/1, DIR/2, …"
    )
    parser.add_argument(
        "--student",
        metavar="WHICH",
        default="best",
        help="best (default), baseline for the best student alone, or a student's key from students.csv",
    )
    parser.add_argument(
        "--front",
        action="store_true",
        help="export the front of several metrics into DIR/1, DIR/2, …",
    )
    parser.add_argument(
        "--int8", action="store_true", help="write an 8-bit ONNX file too, and measure its accuracy and speed"
    )
    parser.add_argument(
        "--push", metavar="USER/NAME", help="upload the export to this repository of the Hugging Face Hub"
    )
    parser.add_argument("--to", metavar="DIR", help="target folder (default RUN/export); an earlier export is replaced")
    parser.add_argument(
        "--data", metavar="DIR", help="folder of data sets (default: that of the experiment, $KD_DATA, or a cache)"
    )
    parser.add_argument(
        "--plugin", metavar="FILE.py", action="append", default=[], dest="plugins", help="plugins of the experiment"
    )


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}, expected an integer from 1")
    return int(text)


def _local_folder(run: str, with_weights: bool = False) -> str:
    """Return the folder of an experiment; of one at a URI a copy.

    Raises UserError if there is none.
    """
    if is_uri(run):
        from results.remote.experiment_copy import copy_experiment  # here: pyarrow takes time to import

        return str(copy_experiment(run, with_weights))
    records.require_experiment(run)
    return run


def _run_rebuild(run: str) -> None:
    run = _local_folder(run)
    from results.console import results_console  # here and below: a wrong path is reported without pandas
    from results.experiment import load_experiment
    from results.rebuild import rebuild_results
    from results.terminal import print_results

    if disk.is_writable(run):
        print_results(rebuild_results(run), results_console())
    else:
        print_results(load_experiment(run), results_console())
        print(f"{run} cannot be written, so its files are left as they are.")


def _run_compare(runs: list[str], *, layout: str | None, csv: str | None) -> None:
    runs = [_local_folder(run) for run in runs]
    from results.compare import compare

    print(compare(runs, layout, csv))


def _run_export(folder: str, *, top: int, front: bool, push: str | None, plugins: list[str], **options: Any) -> None:
    folder = _local_folder(folder, with_weights=True)
    if front and (top > 1 or push or options["student"] != "best"):
        raise UserError("--front: exports every member of the front; remove --top, --student and --push")
    options |= {"student": "front"} if front else {}
    if top > 1 and (push or options["student"] not in ("best", "baseline")):
        raise UserError("--top: found more than one student, but --push and --student KEY take one")
    from results.export import write_exports  # imports torch

    students = write_exports(folder, top=top, plugins=plugins, **options)
    for student in students:
        print("\n  ".join([str(student.folder), *student.remarks]))
    if len(students) < top:
        print(f"Only {len(students)} of {top}: no more configurations are ranked.")
    if push:
        from results.export.hub import push_export  # an optional package

        print(push_export(students[0].folder, push))
