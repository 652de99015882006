"""The one error meant for the user, and the nearest right word to put into it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import NamedTuple, ParamSpec

MOST = 50  # mistakes that are told of one file
ENDLESS = re.compile(r"(\S{300})\S+")  # a word longer than any name of a file


class UserError(Exception):
    """Something the user can put right: printed without a traceback, exit code 2."""

    def __str__(self) -> str:
        return visible(super().__str__())


def visible(text: str) -> str:
    """Return text in which what a terminal would obey, such as an escape sequence in a file's words, is spelt out."""
    return "".join(each if each.isprintable() or each == "\n" else _spelt(each) for each in text)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


P = ParamSpec("P")


def exits_on_user_error(main: Callable[P, int]) -> Callable[P, int]:
    """Have a command line print what the user can put right, without a traceback, and return exit code 2."""

    @wraps(main)
    def run(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            return main(*arguments, **options)
        except UserError as error:
            print(error, file=sys.stderr)
            return 2

    return run


def nearest(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean X?", or "; known: a, b, c" where nothing is near, or nothing where nothing is known."""
    known = list(words)
    found = close(word, known)
    if found is not None:
        return f"; did you mean {found}?"
    return f"; known: {', '.join(known)}" if known else ""


def close(word: str, words: Iterable[str]) -> str | None:
    """Return the word most like this one, or None; the last part of a dotted path will do, case is ignored."""
    spelling: dict[str, str] = {}
    for known in words:
        spelling.setdefault(known.lower(), known)
        spelling.setdefault(known.lower().rpartition(".")[2], known)
    found = get_close_matches(str(word).lower(), list(spelling), n=1, cutoff=0.6)
    return spelling[found[0]] if found else None


Complaint = tuple[str, str]  # dotted path, message


class Mistake(NamedTuple):
    """One thing that is wrong in a file; the path is dotted and may be empty."""

    line: int
    path: str
    message: str


def report(file: str, mistakes: Iterable[Mistake]) -> UserError:
    """Return one error that names the mistakes, one line each, in the order of the file; of very many the first."""
    unique = sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.line)
    said = [(line, ENDLESS.sub(r"\1…", f"{path + ': ' if path else ''}{text}")) for line, path, text in unique[:MOST]]
    told = [f"{file}:{line}: {text}" for line, text in dict.fromkeys(said)]
    more = [f"{file}: and {len(unique) - MOST:,} more mistakes"] if len(unique) > MOST else []
    return UserError("\n".join(told + more))
