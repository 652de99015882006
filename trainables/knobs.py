"""A function's keyword-only arguments are its knobs: the signature is what the YAML is checked against."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from spaces.pydantic_errors import complaints
from spaces.recipe import Amount, Count

# what knobs are made of, here and in plugins
__all__ = [
    "Amount",
    "Count",
    "FirstStage",
    "Fraction",
    "Positive",
    "Rate",
    "StudentLayer",
    "TeacherLayer",
    "marked",
    "problems",
    "schema",
]

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
# Knobs that ask something of the training loop: a layer to be observed, or a first stage of so many epochs, after
# which the optimiser starts anew.
StudentLayer = Annotated[str, "student layer"]
TeacherLayer = Annotated[str, "teacher layer"]
FirstStage = Annotated[int, Field(ge=0), "first stage"]


@cache
def schema(function: Callable[..., Any]) -> type[BaseModel]:
    """The knobs of a function as a strict model: names, types, bounds and defaults."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    fields: dict[str, Any] = {
        p.name: (hints.get(p.name, Any), ... if p.default is p.empty else p.default)
        for p in parameters
        if p.kind is p.KEYWORD_ONLY
    }
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(function.__name__, __config__=config, **fields)


@cache
def marked(function: Callable[..., Any], kind: Any) -> tuple[str, ...]:
    """The names of a function's knobs of one of the kinds above, such as StudentLayer."""
    mark = get_args(kind)[-1]
    hints = get_type_hints(function, include_extras=True)
    return tuple(name for name, hint in hints.items() if mark in get_args(hint))


def problems(function: Callable[..., Any], knobs: dict[str, Any], others: Iterable[str] = ()) -> list[tuple[str, str]]:
    """What is wrong with these knobs for this function, as (dotted path, sentence) pairs; empty when all is well.

    `others` are right words that stand beside the knobs, such as the name of the function.
    """
    try:
        schema(function).model_validate(knobs)
    except ValidationError as error:
        return list(complaints(error, schema(function), others))
    return []
