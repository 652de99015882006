"""Console script `distil`: all commands under one name.

The commands are those of `python -m search.run`, `python -m results` and `python -m spaces`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from results import command_line as results_commands
from search.command_line import CHECK_HELP, add_run_arguments
from search.start import start_search
from spaces import __main__ as spaces_commands
from spaces.argument_parser import CommandParser

DESCRIPTION = "Hyperparameter search for knowledge distillation."
RESULTS_COMMANDS = {"show": "rebuild", "compare": "compare", "export": "export"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code, 2 on a user error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = distil_parser()
    if "_ARGCOMPLETE" in os.environ:  # set by the shell while it completes a line
        import argcomplete

        argcomplete.autocomplete(parser)
    command = parser.parse_args(words).command
    rest = words[words.index(command) + 1 :]
    if command in RESULTS_COMMANDS:
        return results_commands.main([RESULTS_COMMANDS[command], *rest])
    if command == "spaces":
        return spaces_commands.main(rest)
    start_search([*rest, "--check"] if command == "check" else rest)


def distil_parser() -> CommandParser:
    """Return the parser of all commands."""
    parser = CommandParser(prog="distil", description=DESCRIPTION)
    parser.add_version()
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run_help = "search a space and write a folder of results; again: resume"
    add_run_arguments(commands.add_parser("run", help=run_help, description=run_help))
    add_run_arguments(commands.add_parser("check", help=CHECK_HELP, description=CHECK_HELP))
    results_commands.add_rebuild(commands, "show")
    results_commands.add_compare(commands)
    results_commands.add_export(commands)
    text = "names of methods, networks and data sets; a new space"
    spaces_commands.add_commands(commands.add_parser("spaces", help=text, description=text))
    return parser
