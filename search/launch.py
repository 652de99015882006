"""Entry points: `run` for Python, `main` for the command line.

Mistakes in the command or the space are reported before torch and Ray are imported, which takes seconds. So the modules
imported at the top of this one do without.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

from search.cluster.signals import INTERRUPTED_EXIT_CODE
from search.cluster.token import set_auth_mode
from search.command_line import RunOptions, command_parser
from search.output_folder import experiment_folder, require_writable
from search.plan.check_space import load_checked_space
from search.space_file import write_space
from spaces.errors import exits_on_user_error
from trainables import plugin

if TYPE_CHECKING:
    from rich.console import Console

    from results.experiment import Experiment


class RunResult(NamedTuple):
    """Experiment of a run, and the exit code of the same command.

    The codes are those of `main`. There is no experiment after `check`.
    """

    experiment: Experiment | None
    exit_code: int


def run(
    space: str | Path | Mapping[str, Any],
    *,
    data: str | Path | None = None,
    download: bool = False,
    out: str | Path | None = None,
    address: str | None = None,
    check: bool = False,
    smoke_test: bool = False,
    fresh: bool = False,
    plugins: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    insecure_cluster: bool = False,
    console: Console | None = None,
) -> RunResult:
    """Search a space, write its results and return the experiment.

    `space` is a file, the name of a shipped space, or its content as a dict, which is written to OUT.space.yaml first.
    The other arguments are the flags of `python -m search.run --help`. A Ray that this process is connected to is used
    and stays connected. Raises UserError for what the user can correct.
    """
    file = write_space(space, out) if isinstance(space, Mapping) else space
    options = RunOptions(
        *(file, data, download, out, address, check, smoke_test, fresh),
        *(tuple(plugins), tuple(settings), insecure_cluster),
    )
    exit_code, folder = _check_or_search(options, console)
    if folder is None:
        return RunResult(None, exit_code)
    from results.experiment import load_experiment

    return RunResult(load_experiment(folder), exit_code)


def _check_or_search(options: RunOptions, console: Console | None = None) -> tuple[int, Path | None]:
    """Check a space or search it.

    Returns the exit code and the folder of the experiment, None after a check.
    """
    sources = plugin.read_plugins([Path(path) for path in options.plugins])
    plugin.register_plugins(sources)
    loaded = load_checked_space(options.space, options.settings)
    folder = experiment_folder(options.out, loaded.name, options.smoke_test)
    if not options.check:
        require_writable(folder)

    from results.console import print_plain, results_console  # here and below: a mistake is reported without them
    from search.prepare import load_data
    from trainables.data import MissingFilesError
    from trainables.data.locations import MissingWeightsError, data_root_is_set

    console = console or results_console()
    if options.address is not None:
        set_auth_mode(options.insecure_cluster)
    imports_torch = "torch" not in sys.modules
    if imports_torch:
        print_plain(console, f"{options.space}: a valid space; loading its data, PyTorch and Ray")
    try:
        loaded, dataset = load_data(loaded, options, console)
        began = process_time()
        from search import session  # imports torch and Ray

        import_seconds = process_time() - began if imports_torch else None
        code = session.check_or_train(loaded, dataset, folder, options, sources, import_seconds, console)
        return code, None if options.check else folder
    except MissingFilesError as error:
        root = Path(options.data) if options.data else None
        named_root = data_root_is_set(root) and not isinstance(error, MissingWeightsError)
        if not options.check or named_root:
            raise
        print_plain(console, f"{options.space}: a valid space, but {error}")
        return 0, None


def upload_tables(folder: Path) -> None:
    """Upload the folder of a dead driver, if it was mirrored."""
    from search.mirror.session import push_after_driver

    push_after_driver(folder)


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0: done, 2: user error, 3: students failed, 4: Ray died, 130: interrupted, 141: output closed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    try:
        return _check_or_search(RunOptions(**vars(command_parser().parse_args(arguments))))[0]
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
