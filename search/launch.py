"""Entry points: `run` for Python, `main` for the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from results import records, terminal
from search.command_line import command_parser, resume_command
from search.driver import INTERRUPTED_EXIT_CODE, RunSettings, train_and_report
from search.folder import experiment_folder, move_aside, refuse_changes
from search.identity import experiment_identity
from search.plan.check import check_resources
from search.plan.estimate import IMPORT_SECONDS
from search.plan.printing import print_plan
from search.prepare import load_space_and_data
from search.students.candidates import grid_students
from spaces.errors import exits_on_user_error
from spaces.space import Space
from trainables import plugin
from trainables.data import MissingFilesError, data_root_is_set
from trainables.device import device_for_gpus, fastest_precision
from trainables.weights.published import MissingWeightsError


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
    import_seconds: float = IMPORT_SECONDS,
) -> int:
    """Search a space file and write its results; return the exit code.

    The arguments are the flags of `python -m search.run --help`. `import_seconds` is the CPU time in which this machine
    imports torch and Ray, from which the start-up is estimated. Raises UserError for what the user can correct.
    """
    console = console or terminal.results_console()
    data_root = Path(data) if data else None
    sources = plugin.read_plugins([Path(path) for path in plugins])
    plugin.register_plugins(sources)
    try:
        loaded, dataset = load_space_and_data(Path(space), data_root, download, smoke_test, console)
    except MissingFilesError as error:
        if not check or (data_root_is_set(data_root) and not isinstance(error, MissingWeightsError)):
            raise
        console.print(f"{space}: a valid space, but {error}", highlight=False, markup=False, soft_wrap=True)
        return 0

    folder = experiment_folder(out, loaded.name, smoke_test)
    if fresh and not check:
        _move_old_folder(folder, console)
    loaded, precision = _resolve_hardware(loaded, folder, address)
    identity = experiment_identity(loaded, dataset, sources)
    if not fresh:
        refuse_changes(loaded, identity, folder)
    if address is None:
        check_resources(loaded, _local_nodes())
    grid = grid_students(loaded, dataset)
    plan = print_plan(loaded, dataset, grid, folder, console, in_full=check, import_seconds=import_seconds)
    if check:
        return 0
    command = resume_command(space, data, out, address, smoke_test, plugins, insecure_cluster)
    settings = RunSettings(
        *(loaded, dataset, grid, folder, sources, address, precision, command, identity, insecure_cluster),
        planned_epoch_seconds=plan.epoch_seconds,
    )
    return train_and_report(settings, console)


def _move_old_folder(folder: Path, console: Console) -> None:
    if aside := move_aside(folder):
        console.print(f"Old folder moved to {aside}", highlight=False, markup=False, soft_wrap=True)


def _resolve_hardware(space: Space, folder: Path, address: str | None) -> tuple[Space, str]:
    """Fill in GPUs and precision of a space.

    Return the space and the precision that replaces auto. An experiment keeps the precision of its first run, on any
    machine. The nodes of a cluster are known when it is joined.
    """
    if address is None:
        space = space.with_gpus(_local_nodes())
    recorded = records.read_environment(folder).get("auto_precision")
    precision = recorded or fastest_precision(device_for_gpus(space.resources.gpus))
    return space.with_precision(precision), precision


def _local_nodes() -> list[tuple[float, float]]:
    """Return CPUs and GPUs of this machine, as one node."""
    return [(os.cpu_count() or 1, torch.cuda.device_count())]


@exits_on_user_error
def main(arguments: Sequence[str] | None = None, import_seconds: float = IMPORT_SECONDS) -> int:
    """Run the command line and return the exit code.

    0: done, 2: user error, 3: students failed, 4: Ray died, 130: interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    try:
        return run(**vars(command_parser().parse_args(arguments)), import_seconds=import_seconds)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
