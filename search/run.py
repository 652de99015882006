"""Search a space and leave a folder of results; run the same command again to go on where it stopped."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape

from results import records, terminal, wording
from search.cluster.supervisor import RESTARTS, leave, outlived
from search.plan import estimate, preview
from search.plan.check import check_resources
from search.prepare import move_aside, prepare, refuse_changes
from search.session import INTERRUPTED, Session, conduct
from spaces.errors import UserError, exits_on_user_error
from spaces.space import Space
from trainables import plugin
from trainables.data import Dataset, Missing, given
from trainables.device import fastest_precision
from trainables.device import given as on_device
from trainables.weights.published import MissingWeights


def run(
    space: str | Path,
    *,
    data: str | Path | None = None,
    download: bool = False,
    out: str | Path | None = None,
    address: str | None = None,
    check: bool = False,
    smoke_test: bool = False,
    fresh: bool = False,
    plugins: Sequence[str | Path] = (),
    insecure_cluster: bool = False,
    console: Console | None = None,
    restarts: int = RESTARTS,
) -> int:
    """Search a space file and write its results; return the exit code, raise UserError for what the user can put right.

    The arguments are the flags of `python -m search.run --help`; `restarts` is how often a Ray that dies is begun anew.
    """
    console = console or terminal.console()
    sources = plugin.read([Path(path) for path in plugins])
    plugin.register(sources)
    try:
        searched, dataset = prepare(Path(space), Path(data) if data else None, download, smoke_test, console)
    except Missing as missing:
        # Who names a data root says that it holds the data, and nothing of weights.
        if not check or (given(Path(data) if data else None) and not isinstance(missing, MissingWeights)):
            raise
        console.print(f"{space}: a valid space, but {missing}", highlight=False, markup=False, soft_wrap=True)
        return 0
    folder = Path(out or Path("runs") / (searched.name + (".smoke" if smoke_test else ""))).absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: a file; expected a folder, or a name for a new one")
    if fresh and not check and (aside := move_aside(folder)):
        console.print(f"The old folder is now {aside}", highlight=False, markup=False, soft_wrap=True)
    machine = [(os.cpu_count() or 1, torch.cuda.device_count())]
    if address is None:  # a cluster's nodes are known when it is joined
        searched = searched.on(machine)
    device = on_device(searched.resources.gpus)
    precision = records.environment(folder).get("auto_precision") or fastest_precision(device)
    searched = searched.resolved(precision)
    if not fresh:
        refuse_changes(searched, dataset, folder, sources)
    if address is None:
        check_resources(searched, machine)
    _print_plan(searched, dataset, folder, console, check)
    if check:
        return 0
    command = f"python -m search.run {shlex.quote(str(space))}" + _flags(data, out, address, smoke_test, plugins)
    command += " --insecure-cluster" * insecure_cluster
    session = Session(searched, dataset, folder, sources, address, precision, command, insecure_cluster, restarts)
    return conduct(session, console)


def _print_plan(space: Space, data: Dataset, folder: Path, console: Console, whole: bool) -> None:
    """Say what will happen, and what it is estimated to take on this machine; the whole of it stage by stage."""
    workers = estimate.local_workers(space)
    counted = estimate.plan(space, data, workers)
    stages = ", ".join(f"{n} {stage}" for stage, n in counted.students.items() if n)
    most = "" if space.search.algorithm == "grid" else "at most "
    sizes = " / ".join(f"{n:,}" for n in data.sizes.values())
    console.print(
        f"[bold]{escape(space.name)}[/]: {data.name}, {sizes} images to train on / validate / test\n"
        f"  teachers  {counted.teachers}\n"
        f"  students  {most}{sum(counted.students.values())} ({stages}), {most}{counted.epochs:,} epochs\n"
        f"  estimate  about {wording.duration(counted.seconds)} on this machine, {counted.megabytes:,.0f} MB of weights\n"
        f"  folder    {escape(str(folder))}",
        highlight=False,
        soft_wrap=True,
    )
    for line in preview.lines(space, data, counted, workers) if whole else ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _flags(data: Any, out: Any, address: str | None, smoke_test: bool, plugins: Sequence[Any]) -> str:
    """The flags that belong to the command that resumes."""
    pairs = [("--data", data), ("--out", out), ("--address", address), *(("--plugin", each) for each in plugins)]
    given = [f" {flag} {shlex.quote(str(value))}" for flag, value in pairs if value is not None]
    return "".join(given) + (" --smoke-test" if smoke_test else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.run", description=__doc__)
    add = parser.add_argument
    add("space", help="a YAML file, such as spaces/mnist_hinton.yaml")
    add("--data", metavar="DIR", help="where data sets lie (otherwise $KD_DATA, otherwise a cache folder)")
    add("--download", action="store_true", help="fetch a data set that is missing")
    add("--out", metavar="DIR", help="the experiment's folder (otherwise runs/NAME)")
    add("--address", metavar="ADDR", help="a Ray cluster, such as HOST:6379 (otherwise this machine alone)")
    add("--insecure-cluster", action="store_true", help="join a cluster that asks for no token")
    add("--check", action="store_true", help="check the space and print the plan, train nothing")
    add("--smoke-test", action="store_true", help="a minute's version of the space, into runs/NAME.smoke")
    add("--fresh", action="store_true", help="move an old folder aside and start anew")
    add(
        "--plugin",
        metavar="FILE.py",
        action="append",
        default=[],
        dest="plugins",
        help="your own model, data or method",
    )
    return parser


@exits_on_user_error
def main(arguments: Sequence[str] | None = None, restarts: int = RESTARTS) -> int:
    """The command line: 0 all done, 2 something to put right, 3 some students failed, 4 Ray died, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is an interruption like Ctrl-C
    try:
        return run(**vars(_parser().parse_args(arguments)), restarts=restarts)
    except KeyboardInterrupt:
        return INTERRUPTED


class _Callable(ModuleType):
    """This module is a program for `python -m`, and for Python programs a function: `search.run(path, …)`."""

    def __call__(self, *arguments: Any, **options: Any) -> int:
        return run(*arguments, **options)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    estimate.IMPORTS = process_time()
    leave(outlived(main))
