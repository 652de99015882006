"""`python -m results RUN`: tables, pictures and report page of a finished or running experiment, from its rows.

`python -m results compare RUN [RUN …]` puts several experiments into one table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from results.compare.__main__ import main as compare
from results.rebuild import rebuild_results
from results.terminal import print_results, results_console
from spaces.errors import exits_on_user_error


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuilds and prints, or compares; returns the exit code, 2 where a folder is not an experiment."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["compare"]:
        return compare(given[1:])
    parser = argparse.ArgumentParser(prog="python -m results", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="an experiment folder, such as runs/mnist_hinton")
    print_results(rebuild_results(parser.parse_args(given).run), results_console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
