"""UserError, problems of a file, and suggestions for misspelled words."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import NamedTuple, ParamSpec

MAX_PROBLEMS = 50  # shown of one file
CLOSED_EXIT_CODE = 128 + 13  # as if ended by SIGPIPE
SET_LINE = 0  # of a value set on the command line (--set), which is in no line of the file
LONG_WORD = re.compile(r"(\S{300})\S+")  # longer than the name of a file can be


class UserError(Exception):
    """Error to be fixed by the user.

    Command lines print it without a traceback, and exit with code 2.
    """

    def __str__(self) -> str:
        return escape_unprintable(super().__str__())


def escape_unprintable(text: str) -> str:
    """Escape unprintable characters, such as terminal control sequences."""
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


P = ParamSpec("P")


def exits_on_user_error(main: Callable[P, int]) -> Callable[P, int]:
    """Decorate a command line to print a UserError and return 2.

    The error of a path, such as one in a read-only folder, is printed as one line, too. So is that of a reader that has
    ended, such as `head`.
    """

    @wraps(main)
    def run(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            code = main(*arguments, **options)
            sys.stdout.flush()
            return code
        except UserError as error:
            print(error, file=sys.stderr)
        except BrokenPipeError:
            report_closed_output()
            return CLOSED_EXIT_CODE
        except OSError as error:
            if error.filename is None:  # of no path that the user can correct
                raise
            print(escape_unprintable(f"{os.fsdecode(error.filename)}: {error.strerror}"), file=sys.stderr)
        return 2

    return run


def report_closed_output() -> None:
    """Print that stdout has no reader any more, and drop what is still to be written to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("The output was closed before its end.", file=sys.stderr)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean X?" for the closest word.

    Without a close match it returns "; known: a, b, c", without any words an empty string.
    """
    candidates = list(words)
    match = closest_match(word, candidates)
    if match is not None:
        return f"; did you mean {match}?"
    return f"; known: {', '.join(candidates)}" if candidates else ""


def closest_match(word: str, words: Iterable[str]) -> str | None:
    """Return the most similar word, None without a similar one.

    Case is ignored, and the last part of a dotted path counts as a word too.
    """
    spellings: dict[str, str] = {}
    for candidate in words:
        spellings.setdefault(candidate.lower(), candidate)
        spellings.setdefault(candidate.lower().rpartition(".")[2], candidate)
    matches = get_close_matches(str(word).lower(), list(spellings), n=1, cutoff=0.6)
    return spellings[matches[0]] if matches else None


Problem = tuple[str, str]  # dotted path, message


class LocatedProblem(NamedTuple):
    """Problem at a line of a file; the path may be empty."""

    line: int
    path: str
    message: str


def file_error(file: str, problems: Iterable[LocatedProblem]) -> UserError:
    """Return one error with a line per problem, in file order."""
    unique = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    lines = [_problem_line(file, problem) for problem in unique[:MAX_PROBLEMS]]
    rest = [f"{file}: and {len(unique) - MAX_PROBLEMS:,} more problems"] if len(unique) > MAX_PROBLEMS else []
    return UserError("\n".join([*dict.fromkeys(lines), *rest]))


def _problem_line(file: str, problem: LocatedProblem) -> str:
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    shortened = LONG_WORD.sub(r"\1…", text)
    return f"--set {shortened}" if problem.line == SET_LINE else f"{file}:{problem.line}: {shortened}"
