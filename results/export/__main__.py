"""`python -m results.export RUN`: the best students by validation as safetensors, ONNX, a recipe and a card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from results.export import write
from spaces.errors import exits_on_user_error


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Exports and says where to; returns the exit code, 2 where there is something to put right."""
    parser = argparse.ArgumentParser(prog="python -m results.export", description=__doc__)
    add = parser.add_argument
    add("folder", metavar="RUN", help="an experiment folder, such as runs/mnist_hinton")
    add("--top", type=_count, default=1, metavar="K", help="the best K configurations, into DIR/1, DIR/2, …")
    add("--to", metavar="DIR", help="where to (otherwise RUN/export); an earlier export there is replaced")
    add("--data", metavar="DIR", help="where data sets lie (otherwise as in the experiment, $KD_DATA, a cache folder)")
    add("--plugin", metavar="FILE.py", action="append", default=[], dest="plugins", help="those of the experiment")
    given = parser.parse_args(arguments)
    written = write(**vars(given))
    for student in written:
        print(f"{student.folder}\n  {student.verified}")
    if len(written) < given.top:
        print(f"Only {len(written)} of {given.top}: no more configurations are ranked.")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}, expected a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
