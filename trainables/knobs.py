"""A function's keyword-only arguments are its knobs: the signature is what the YAML is checked against."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from spaces.mistakes import complaints
from spaces.recipe import Count

# what knobs are made of, here and in plugins
__all__ = ["Count", "Fraction", "Positive", "Rate", "problems", "schema"]

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


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


def problems(function: Callable[..., Any], knobs: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with these knobs for this function, as (dotted path, sentence) pairs; empty when all is well."""
    try:
        schema(function).model_validate(knobs)
    except ValidationError as error:
        return list(complaints(error, schema(function)))
    return []
