"""Messages for errors of YAML syntax: the line of the cause, and its likely correction."""

from __future__ import annotations

import re

import yaml

from spaces.errors import LocatedProblem

KEY_WITHOUT_COLON = re.compile(r"\s*(?:- +)?([A-Za-z_]\w*)(:(?=\S)|\s+(?=[^\s:])|$)")
MESSAGES = {
    "\\t": "found a tab; indent with spaces",
    "single document": "found a second document (---); expected one",
    "quoted scalar": "a quote is not closed",
}
FLOW_START = {"sequence": "[", "mapping": "{"}


def syntax_problem(error: yaml.YAMLError, text: str) -> LocatedProblem:
    """Return the problem with the line of its cause, which is often before the line where the parser stopped."""
    lines = text.splitlines() or [""]
    # An unprintable character is found before parsing, so it has a position but no mark.
    fallback = text.count("\n", 0, getattr(error, "position", 0))
    stop = _mark_line(error, "problem_mark", _mark_line(error, "context_mark", fallback))
    number, message = _explain(error, lines, stop, _mark_line(error, "context_mark", stop))
    return LocatedProblem(min(number, len(lines) - 1) + 1, "", message)


def colon_hint(line: str) -> str:
    """Return "is a colon missing after KEY?" for a line or key that starts with a word, else an empty string."""
    match = KEY_WITHOUT_COLON.match(line)
    if match is None:
        return ""
    return f"is a space missing after {match[1]}:?" if match[2] == ":" else f"is a colon missing after {match[1]}?"


def first_word(key: str) -> str:
    """Return the name before the first space or colon of a key."""
    return re.split(r"[\s:]", key, maxsplit=1)[0]


def _mark_line(error: yaml.YAMLError, name: str, default: int) -> int:
    mark = getattr(error, name, None)
    return mark.line if mark else default


def _explain(error: yaml.YAMLError, lines: list[str], stop: int, start: int) -> tuple[int, str]:
    """Return line and message; `found` is where the parser stopped, `start` where it began, from 0."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = str(getattr(error, "context", ""))
    if "simple key" in context and "expected ':'" in problem:
        return start, _join("found no key with a colon", colon_hint(lines[start]))
    if problem.startswith("mapping values are not allowed") or "found '<block mapping start>'" in problem:
        return _explain_mapping_value(lines, stop)
    if "flow" in context and problem.startswith("expected ','"):
        return _explain_flow(problem, context, lines, stop, start)
    if "<block end>" in problem and re.search(r"found '[]}]'", problem):
        hint = colon_hint(lines[stop]) if re.match(r"\s*(- +)?\w+\s+[\[{]", lines[stop]) else ""
        return stop, _join(f"found {problem[-3:]} without its opening bracket", hint)
    number = start if "quoted scalar" in context else stop
    return number, next((message for words, message in MESSAGES.items() if words in f"{problem} {context}"), problem)


def _explain_mapping_value(lines: list[str], stop: int) -> tuple[int, str]:
    before = next((number for number in range(stop - 1, -1, -1) if _content(lines[number])), None)
    if before is not None and not re.search(r":(\s|$)", _content(lines[before])):
        return before, _join("found no key with a colon", colon_hint(lines[before]))
    return stop, "found a second key in one line, or a wrong indentation"


def _explain_flow(problem: str, context: str, lines: list[str], stop: int, start: int) -> tuple[int, str]:
    bracket = FLOW_START["sequence" if "sequence" in context else "mapping"]
    at_end = stop >= len(lines) or "<stream end>" in problem
    if at_end or (stop > start and _indent(lines[stop]) <= _indent(lines[start])):
        return start, f"a bracket {bracket} is not closed"
    word = re.search(r"([A-Za-z_]\w*)\s+[\[{]", lines[stop]) if re.search(r"got '[\[{]'", problem) else None
    return stop, _join(problem, colon_hint(word[0]) if word else "")


def _join(message: str, hint: str) -> str:
    return f"{message}; {hint}" if hint else message


def _content(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
