"""`python -m results.export RUN`, the same as `python -m results export RUN`."""

from __future__ import annotations

import sys

from results.command_line import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
