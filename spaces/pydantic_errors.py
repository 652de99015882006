"""Messages for errors of pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spaces.errors import Problem, closest_match, did_you_mean
from spaces.label import describe_value
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
    "string_pattern_mismatch": "a name that a folder can have",
}


def validation_problems(
    error: ValidationError, model: type[BaseModel], other_keys: Iterable[str] = ()
) -> Iterator[Problem]:
    """Yield the problems of a tree after failed validation.

    `other_keys` are further keys allowed beside the fields of the model; suggestions include them.
    """
    for details in error.errors(include_url=False):
        loc = details["loc"]
        if details["type"] == "missing" and (misspelled := _misspelled_key(details["input"], str(loc[-1]))):
            yield _dotted_path((*loc[:-1], misspelled)), f"unknown key; did you mean {loc[-1]}?"
        elif details["type"] == "conflict":
            yield _dotted_path((*loc, details.get("ctx", {})["path"])), details["msg"]
        elif not (details["type"] == "extra_forbidden" and _is_misspelled_required_key(error, details)):
            yield _dotted_path(loc), _error_message(details, model, other_keys)


def _error_message(details: ErrorDetails, model: type[BaseModel], other_keys: Iterable[str]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        keys = (*_key_names(model, details["loc"][:-1]), *other_keys)
        return f"unknown key{did_you_mean(str(details['loc'][-1]), keys)}"
    if kind == "missing":
        return "missing"
    if kind == "literal_error":
        words = re.findall("'([^']*)'", context["expected"])
        match = closest_match(details["input"], words) if isinstance(details["input"], str) else None
        suggestion = f"; did you mean {match}?" if match else ""
        return f"found {describe_value(details['input'])}, expected {' or '.join(words)}{suggestion}"
    if kind in _EXPECTED:
        least = {1: "one", 2: "two"}.get(context.get("min_length", 1), context.get("min_length"))
        return f"found {describe_value(details['input'])}, expected {_EXPECTED[kind].format(**context, least=least)}"
    return details["msg"]


def _is_misspelled_required_key(error: ValidationError, details: ErrorDetails) -> bool:
    # pydantic reports a misspelled required key twice, as missing and as unknown: one of them is left out.
    siblings = (
        sibling
        for sibling in error.errors()
        if sibling["loc"][:-1] == details["loc"][:-1] and sibling["type"] == "missing"
    )
    return any(_misspelled_key(sibling["input"], str(sibling["loc"][-1])) == details["loc"][-1] for sibling in siblings)


def _misspelled_key(mapping: object, key: str) -> str | None:
    return closest_match(key, [str(word) for word in mapping]) if isinstance(mapping, dict) else None


def _key_names(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, int):
            continue  # a member of an ensemble is a teacher too
        annotation = model.model_fields[part].annotation
        kinds = (annotation, *get_args(annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    # A file has a list of seeds for the students and one for the teachers; a recipe has one seed of each. The teacher
    # of a teacher has a single seed in both.
    has_seed_list = model is Recipe or (model is Teacher and loc == ("teacher",))
    return ["seeds" if name == "seed" and has_seed_list else name for name in model.model_fields]


def _dotted_path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc if part != "")
