"""Parser of command lines, with suggestions for misspelled words."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NoReturn

from spaces.errors import closest_match

PACKAGE = "distil-search"
_INVALID_CHOICE = re.compile(r"invalid choice: '([^']*)'")


class CommandParser(argparse.ArgumentParser):
    """Argument parser of all commands."""

    def parse_known_args(  # type: ignore[override]  # the overloads differ in the type of the namespace only
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments; end with an error for an unknown one.

        argparse itself leaves the unknown arguments of a sub-command to the main parser, which has other flags.
        """
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown argument {unknown[0]}{_suggestion(unknown[0], self._option_string_actions)}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with code 2."""
        if invalid := _INVALID_CHOICE.search(message):
            message += _suggestion(invalid[1], self._choices())
        super().error(message)

    def add_version(self) -> None:
        """Add the flag --version."""
        self.add_argument(
            "--version", action=_PrintVersion, nargs=0, default=argparse.SUPPRESS, help="print the version and exit"
        )

    def _choices(self) -> list[str]:
        return [str(choice) for action in self._actions for choice in action.choices or ()]


class _PrintVersion(argparse.Action):
    """Print the version of the installed package."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(f"{PACKAGE} {version(PACKAGE)}")
        parser.exit()


def _suggestion(word: str, words: Sequence[str] | dict[str, Any]) -> str:
    match = closest_match(word.partition("=")[0], words)
    return f"; did you mean {match}?" if match else ""
