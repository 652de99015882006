"""Command `python -m search.run`; from Python: `from search import run`."""

import sys

if __name__ == "search.run":  # imported, this module would hide the function search.run
    raise ImportError("search.run is a command (python -m search.run) and a function (from search import run)")

from search.start import start_search

if __name__ == "__main__":
    start_search(sys.argv[1:])
