"""`python -m results RUN`: tables, pictures and report page of a finished or running experiment, from its rows."""

from __future__ import annotations

import argparse
import sys

from results.rebuild import rebuild
from results.terminal import console, show
from spaces.errors import told


@told
def main(arguments: list[str] | None = None) -> int:
    """Rebuilds and prints; returns the exit code, 2 where the folder is not an experiment."""
    parser = argparse.ArgumentParser(prog="python -m results", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="an experiment folder, such as runs/mnist_hinton")
    folder = parser.parse_args(arguments).run
    show(rebuild(folder), console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
