"""`python -m results`: rebuild, compare and export experiments."""

from __future__ import annotations

import sys

from results.command_line import main

if __name__ == "__main__":
    sys.exit(main())
