"""Flags of `python -m search.run`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from spaces.argument_parser import CommandParser

DESCRIPTION = "Search a space and write a folder of results. The same command resumes an interrupted search."
CHECK_HELP = "check the space and print the plan, train nothing"


def command_parser() -> CommandParser:
    """Return the parser of `python -m search.run`."""
    parser = CommandParser(prog="python -m search.run", description=DESCRIPTION)
    parser.add_version()
    add_run_arguments(parser)
    parser.add_argument("--check", action="store_true", help=CHECK_HELP)
    return parser


def add_run_arguments(parser: CommandParser) -> None:
    """Add one flag for each argument of search.run but `check`."""
    add = parser.add_argument
    add("space", help="a YAML file, or the name of a shipped space, such as mnist_hinton")
    add("--data", metavar="DIR", help="folder of the data sets (default: $KD_DATA, otherwise a cache folder)")
    add("--download", action="store_true", help="download a missing data set")
    add("--out", metavar="DIR", help="folder of the experiment, or a URI such as s3://BUCKET/NAME (default: runs/NAME)")
    add(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="value for a key of the space, such as train.epochs=3 or 'method.alpha={choice: [0.5, 0.9]}' (repeatable)",
    )
    add("--address", metavar="ADDR", help="a Ray cluster, such as HOST:6379 (default: this machine)")
    add("--insecure-cluster", action="store_true", help="join a cluster without token authentication")
    add("--smoke-test", action="store_true", help="run a version of the space that takes a minute, in runs/NAME.smoke")
    add("--fresh", action="store_true", help="move an old folder aside and start from the beginning")
    add(
        "--plugin",
        metavar="FILE.py",
        action="append",
        default=[],
        dest="plugins",
        help="Python file with your own models, data sets or methods (repeatable)",
    )


class RunOptions(NamedTuple):
    """Arguments of search.run."""

    space: str | Path
    data: str | Path | None = None
    download: bool = False
    out: str | Path | None = None
    address: str | None = None
    check: bool = False
    smoke_test: bool = False
    fresh: bool = False
    plugins: tuple[str | Path, ...] = ()
    settings: tuple[str, ...] = ()
    insecure_cluster: bool = False


def resume_command(options: RunOptions) -> str:
    """Return the shell command for resuming a search."""
    valued = [("--data", options.data), ("--out", options.out), ("--address", options.address)]
    valued += [("--plugin", path) for path in options.plugins] + [("--set", text) for text in options.settings]
    words = ["python", "-m", "search.run", str(options.space)]
    words += [word for flag, value in valued if value is not None for word in (flag, str(value))]
    words += ["--smoke-test"] * options.smoke_test + ["--insecure-cluster"] * options.insecure_cluster
    return shlex.join(words)
