"""Command `python -m search.run`; from Python: `from search import run`."""

from functools import partial
from time import process_time

if __name__ == "search.run":  # imported, this module would hide the function search.run
    raise ImportError("search.run is a command (python -m search.run) and a function (from search import run)")

from search.cluster.supervisor import exit_quickly, supervise
from search.launch import main

if __name__ == "__main__":
    exit_quickly(supervise(partial(main, import_seconds=process_time())))
