"""Entry points: `run` for Python, `main` for the command line.

Mistakes in the command or the space are reported before torch and Ray are imported, which takes seconds. So the modules
imported at the top of this one do without.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from search.cluster.signals import INTERRUPTED_EXIT_CODE
from search.command_line import RunOptions, command_parser
from search.output_folder import experiment_folder, require_writable
from search.plan.check_space import load_checked_space
from spaces.errors import exits_on_user_error
from trainables import plugin

if TYPE_CHECKING:
    from rich.console import Console


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
    settings: Sequence[str] = (),
    insecure_cluster: bool = False,
    console: Console | None = None,
) -> int:
    """Search a space file and write its results; return the exit code.

    The arguments are the flags of `python -m search.run --help`. Raises UserError for what the user can correct.
    """
    options = RunOptions(
        *(space, data, download, out, address, check, smoke_test, fresh),
        *(tuple(plugins), tuple(settings), insecure_cluster),
    )
    sources = plugin.read_plugins([Path(path) for path in options.plugins])
    plugin.register_plugins(sources)
    loaded = load_checked_space(space, settings)
    folder = experiment_folder(out, loaded.name, smoke_test)
    if not check:
        require_writable(folder)

    from results.console import print_plain, results_console  # here and below: a mistake is reported without them
    from search.prepare import load_data
    from trainables.data import MissingFilesError
    from trainables.data.locations import MissingWeightsError, data_root_is_set

    console = console or results_console()
    imports_torch = "torch" not in sys.modules
    if imports_torch:
        print_plain(console, f"{space}: a valid space; loading its data, PyTorch and Ray")
    try:
        loaded, dataset = load_data(loaded, options, console)
        began = process_time()
        from search import session  # imports torch and Ray

        import_seconds = process_time() - began if imports_torch else None
        return session.check_or_train(loaded, dataset, folder, options, sources, import_seconds, console)
    except MissingFilesError as error:
        named_root = data_root_is_set(Path(data) if data else None) and not isinstance(error, MissingWeightsError)
        if not check or named_root:
            raise
        print_plain(console, f"{space}: a valid space, but {error}")
        return 0


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0: done, 2: user error, 3: students failed, 4: Ray died, 130: interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    try:
        return run(**vars(command_parser().parse_args(arguments)))
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
