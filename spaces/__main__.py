"""`python -m spaces`: what can stand in a space, and a new one to start from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spaces.catalogue import new_space, show
from spaces.catalogue.entries import default_part
from spaces.errors import UserError, exits_on_user_error


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 all well, 2 something to put right."""
    parser = argparse.ArgumentParser(prog="python -m spaces", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|new")
    commands.add_parser("list", help="all methods, data sets, models, domains, algorithms and schedulers, a line each")
    asked = commands.add_parser(
        "show", help="one of them, or a key: formula, keys with their types and defaults, paper"
    )
    asked.add_argument("name", metavar="NAME")
    new = commands.add_parser("new", help="a commented space to start from")
    new.add_argument("--method", metavar="M")
    new.add_argument("--data", metavar="D")
    new.add_argument("--model", metavar="M", help="the student's network")
    new.add_argument("file", metavar="FILE", nargs="?", help="a new file; without one the space is printed")
    given = parser.parse_args(arguments)
    print(_answer(given))
    return 0


def _answer(given: argparse.Namespace) -> str:
    if given.command == "list":
        return show.list_text()
    if given.command == "show":
        return show.show_text(given.name)
    method, data = given.method or default_part("method")["name"], given.data or default_part("data")["name"]
    text = new_space.new_space_text(
        given.file or "FILE.yaml", method, data, given.model or default_part("student.model")["name"]
    )
    return _written(Path(given.file), text) if given.file else text.rstrip()


def _written(path: Path, text: str) -> str:
    """Write a new file, never over an old one."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path}: is there already, and was left as it is; name another file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return f"{path}: written; now python -m search.run {path} --check"


if __name__ == "__main__":
    sys.exit(main())
