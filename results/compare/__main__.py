"""`python -m results compare RUN [RUN …]`: experiments in one leaderboard, or side by side, as Markdown and CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from results.compare import compare
from spaces.errors import exits_on_user_error


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the comparison; exit code 2 where there is none to make."""
    parser = argparse.ArgumentParser(prog="python -m results compare", description=__doc__)
    add = parser.add_argument
    add("runs", metavar="RUN", nargs="+", help="experiment folders")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--best", action="store_true", help="side by side: the best of each, its baseline and its cost")
    how.add_argument("--every", action="store_true", help="side by side: every configuration of each")
    add("--csv", metavar="FILE", help="all configurations as numbers, into a file")
    given = parser.parse_args(arguments)
    print(compare(given.runs, best=given.best, every=given.every, csv=given.csv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
