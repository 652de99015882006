"""`python -m results.compare`, the same as `python -m results compare`."""

from __future__ import annotations

import sys

from results.command_line import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
