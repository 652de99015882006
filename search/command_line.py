"""Flags of `python -m search.run`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

DESCRIPTION = "Search a space and write a folder of results. The same command resumes an interrupted search."


def command_parser() -> argparse.ArgumentParser:
    """Return a parser with one flag for each argument of search.run."""
    parser = argparse.ArgumentParser(prog="python -m search.run", description=DESCRIPTION)
    add = parser.add_argument
    add("space", help="a YAML file, such as spaces/mnist_hinton.yaml")
    add("--data", metavar="DIR", help="folder of the data sets (default: $KD_DATA, otherwise a cache folder)")
    add("--download", action="store_true", help="download a missing data set")
    add("--out", metavar="DIR", help="folder of the experiment (default: runs/NAME)")
    add("--address", metavar="ADDR", help="a Ray cluster, such as HOST:6379 (default: this machine)")
    add("--insecure-cluster", action="store_true", help="join a cluster without token authentication")
    add("--check", action="store_true", help="check the space and print the plan, train nothing")
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
    return parser


def resume_command(
    space: str | Path,
    data: str | Path | None,
    out: str | Path | None,
    address: str | None,
    smoke_test: bool,
    plugins: Sequence[str | Path],
    insecure_cluster: bool,
) -> str:
    """Return the shell command for resuming a search."""
    options = [("--data", data), ("--out", out), ("--address", address), *(("--plugin", path) for path in plugins)]
    words = ["python", "-m", "search.run", str(space)]
    words += [word for flag, value in options if value is not None for word in (flag, str(value))]
    words += ["--smoke-test"] * smoke_test + ["--insecure-cluster"] * insecure_cluster
    return shlex.join(words)
