"""Start of a search from a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from search.command_line import command_parser


def start_search(arguments: Sequence[str]) -> NoReturn:
    """Run a search in a supervised process, then exit with its code."""
    command_parser().parse_args(arguments)  # ends here for --help and for a wrong flag

    from search.cluster.supervisor import exit_quickly, supervise  # here and below: not needed for --help
    from search.launch import main, upload_tables

    exit_quickly(supervise(main, arguments, upload_tables))
