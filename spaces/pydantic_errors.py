"""Messages for errors of pydantic."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spaces.document import dump_yaml
from spaces.errors import Problem, closest_match
from spaces.label import describe_value
from spaces.parts import fields_by_key
from spaces.recipe import Recipe, Teacher
from spaces.unknown_key import find_misspelled, unknown_key

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
    "string_pattern_mismatch": "a name that a folder can have",
}
_SCALAR_TYPES = {"int_type": (int,), "float_type": (int, float), "bool_type": (bool,), "string_type": (str,)}


def validation_problems(
    error: ValidationError, model: type[BaseModel], other_keys: Iterable[str] = (), searchable: bool = True
) -> Iterator[Problem]:
    """Yield the problems of a tree after failed validation.

    `other_keys` are further keys allowed beside the fields of the model; suggestions include them. `searchable` allows
    the advice to write a list as a choice.
    """
    for details in error.errors(include_url=False):
        loc = details["loc"]
        valid_keys = (
            {*_key_names(model, loc[:-1]), *other_keys} if details["type"] in ("missing", "extra_forbidden") else ()
        )
        if details["type"] == "missing" and (misspelled := _misspelled_key(details["input"], str(loc[-1]), valid_keys)):
            yield _dotted_path((*loc[:-1], misspelled)), unknown_key(misspelled, [str(loc[-1])])
        elif details["type"] == "conflict":
            yield _dotted_path((*loc, details.get("ctx", {})["path"])), details["msg"]
        elif not (details["type"] == "extra_forbidden" and _is_misspelled_required_key(error, details, valid_keys)):
            # No domain can stand in data or in a list.
            fixed = loc[:1] == ("data",) or any(isinstance(part, int) for part in loc)
            hint = _choice_hint(details) if searchable and not fixed else ""
            yield _dotted_path(loc), _error_message(details, model, other_keys) + hint


def _error_message(details: ErrorDetails, model: type[BaseModel], other_keys: Iterable[str]) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        return unknown_key(str(details["loc"][-1]), (*_key_names(model, details["loc"][:-1]), *other_keys))
    if kind == "missing":
        return "missing"
    if kind == "literal_error":
        words = re.findall("'([^']*)'", context["expected"])
        match = closest_match(value, words) if isinstance(value, str) else None
        suggestion = f"; did you mean {match}?" if match else ""
        return f"found {describe_value(value)}, expected {' or '.join(words)}{suggestion}"
    if kind in _EXPECTED:
        least = {1: "one", 2: "two"}.get(context.get("min_length", 1), context.get("min_length"))
        expected = _EXPECTED[kind].format(**context, least=least)
        if kind == "list_type":
            expected += _list_example(value, details["loc"])
        return f"found {describe_value(value)}, expected {expected}"
    return details["msg"]


def _list_example(value: object, loc: tuple[int | str, ...]) -> str:
    if loc[-1] == "seeds":
        return f" such as {[10, 11, 12] if 'confirm' in loc else [0, 1, 2]}"
    is_scalar = isinstance(value, int | float | str) and not isinstance(value, bool)
    return f" such as [{value}]" if is_scalar and len(str(value)) <= 40 else ""


def _choice_hint(details: ErrorDetails) -> str:
    """Return the advice to write several values as a choice, empty if a list of them would be no choice."""
    kind, values = details["type"], details["input"]
    if not isinstance(values, list) or len(values) < 2:
        return ""
    if kind == "literal_error":
        valid = all(repr(item) in details["ctx"]["expected"] for item in values)
    else:
        valid = kind in _SCALAR_TYPES and all(type(item) in _SCALAR_TYPES[kind] for item in values)
    text = dump_yaml({"choice": values}).strip()
    return f"; to search it, write {{{text}}}" if valid and len(text) <= 80 else ""


def _is_misspelled_required_key(error: ValidationError, details: ErrorDetails, valid_keys: Collection[str]) -> bool:
    # pydantic reports a misspelled required key twice, as missing and as unknown: one of them is left out.
    siblings = (
        sibling
        for sibling in error.errors()
        if sibling["loc"][:-1] == details["loc"][:-1] and sibling["type"] == "missing"
    )
    return any(
        _misspelled_key(sibling["input"], str(sibling["loc"][-1]), valid_keys) == details["loc"][-1]
        for sibling in siblings
    )


def _misspelled_key(mapping: object, key: str, valid_keys: Collection[str]) -> str | None:
    """Return the unknown key that was probably meant as a missing one, None without one."""
    words = [str(word) for word in mapping if word not in valid_keys] if isinstance(mapping, dict) else []
    return find_misspelled(key, words)


def _key_names(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, int):
            continue  # a member of an ensemble is a teacher too
        annotation = fields_by_key(model)[part].annotation
        kinds = (annotation, *get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    # A file has a list of seeds for the students and one for the teachers; a recipe has one seed of each. The teacher
    # of a teacher has a single seed in both.
    has_seed_list = model is Recipe or (model is Teacher and loc == ("teacher",))
    return ["seeds" if name == "seed" and has_seed_list else name for name in fields_by_key(model)]


def _dotted_path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc if part != "")
