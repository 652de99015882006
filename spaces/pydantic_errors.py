"""pydantic's errors in the words of the user's file: what was found, what was expected, the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from spaces.errors import close, nearest
from spaces.label import show
from spaces.recipe import Recipe, Teacher

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "too_short": "at least {least}",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "a name that can be a folder's",
}


def complaints(error: ValidationError, model: type[BaseModel], others: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, message) for each mistake pydantic found in a tree meant for this model.

    `others` are right words that stand beside the model's own fields in the file.
    """
    for found in error.errors(include_url=False):
        loc = found["loc"]
        if found["type"] == "missing" and (near := _mistyped(found["input"], str(loc[-1]))):
            yield _dotted((*loc[:-1], near)), f"unknown key; did you mean {loc[-1]}?"
        elif found["type"] == "conflict":
            yield _dotted((*loc, found.get("ctx", {})["path"])), found["msg"]
        elif not (found["type"] == "extra_forbidden" and _explained(error, found)):
            yield _dotted(loc), _message(found, model, others)


def _message(found: Any, model: type[BaseModel], others: Iterable[str]) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(found['loc'][-1]), (*_fields(model, found['loc'][:-1]), *others))}"
    if kind == "missing":
        return "missing"
    if kind == "literal_error":
        words = re.findall("'([^']*)'", context["expected"])
        near = close(found["input"], words) if isinstance(found["input"], str) else None
        expected = f"expected {' or '.join(words)}"
        return f"found {show(found['input'])}, {expected}" + (f"; did you mean {near}?" if near else "")
    if kind in _EXPECTED:
        least = {1: "one", 2: "two"}.get(context.get("min_length", 1), context.get("min_length"))
        return f"found {show(found['input'])}, expected {_EXPECTED[kind].format(**context, least=least)}"
    return found["msg"]


def _explained(error: ValidationError, found: Any) -> bool:
    # A mistyped required key is both missing and unknown to pydantic: one mistake, told once.
    beside = [
        other for other in error.errors() if other["loc"][:-1] == found["loc"][:-1] and other["type"] == "missing"
    ]
    return any(_mistyped(other["input"], str(other["loc"][-1])) == found["loc"][-1] for other in beside)


def _mistyped(given: Any, key: str) -> str | None:
    return close(key, [str(word) for word in given]) if isinstance(given, dict) else None


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, int):
            continue  # a member of an ensemble is a teacher as well
        annotation = model.model_fields[part].annotation
        kinds = (annotation, *get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    # A file gives the seeds of all students and teachers in lists; a recipe has one of each. Who stands behind a
    # teacher has one seed in both.
    listed = model is Recipe or (model is Teacher and loc == ("teacher",))
    return ["seeds" if name == "seed" and listed else name for name in model.model_fields]


def _dotted(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc if part != "")
