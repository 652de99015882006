"""`python -m spaces`: names, keys, and new spaces."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spaces.argument_parser import CommandParser
from spaces.catalogue import new_space, show
from spaces.catalogue.entries import default_part
from spaces.errors import UserError, exits_on_user_error


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after a UserError."""
    parser = CommandParser(prog="python -m spaces", description=__doc__)
    add_commands(parser)
    print(_command_output(parser.parse_args(arguments)))
    return 0


def add_commands(parser: CommandParser) -> None:
    """Add the commands list, show and new."""
    commands = parser.add_subparsers(dest="spaces_command", required=True, metavar="list|show|new")
    commands.add_parser("list", help="all methods, data sets, models, domains, algorithms and schedulers")
    show_parser = commands.add_parser("show", help="one of them, or a key: formula, paper, and keys with defaults")
    show_parser.add_argument("name", metavar="NAME")
    new_parser = commands.add_parser("new", help="a commented space to start from")
    new_parser.add_argument("--method", metavar="M", default=default_part("method")["name"])
    new_parser.add_argument("--data", metavar="D", default=default_part("data")["name"])
    new_parser.add_argument(
        "--model", metavar="M", default=default_part("student.model")["name"], help="network of the student"
    )
    new_parser.add_argument("file", metavar="FILE", nargs="?", help="a new file; without it the space is printed")


def _command_output(options: argparse.Namespace) -> str:
    if options.spaces_command == "list":
        return show.list_text()
    if options.spaces_command == "show":
        return show.show_text(options.name)
    text = new_space.new_space_text(options.file or "FILE.yaml", options.method, options.data, options.model)
    return _write_new_file(Path(options.file), text) if options.file else text.rstrip()


def _write_new_file(path: Path, text: str) -> str:
    """Write a new file, and return the next command.

    Raises UserError if the file exists.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path}: exists already, and is unchanged; name another file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return f"{path}: written; next: python -m search.run {path} --check"


if __name__ == "__main__":
    sys.exit(main())
