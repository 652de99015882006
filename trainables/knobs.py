"""Knobs: keyword-only arguments of data sets, models and methods.

The YAML of a space is checked against these signatures.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import BaseModel, Field

from spaces.errors import Problem
from spaces.named_parts import knob_model, knob_model_problems
from spaces.parts import Amount, Count
from trainables.docstrings import argument_descriptions

# Types of knobs, for this project and for plugins.
__all__ = [
    "Amount",
    "Count",
    "FirstStage",
    "Fraction",
    "Positive",
    "Rate",
    "StudentLayer",
    "StudentLayers",
    "TeacherLayer",
    "TeacherLayers",
    "TeacherWeight",
    "Temperature",
    "knob_names",
    "knob_problems",
    "knob_schema",
    "marked_knobs",
]

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
# The divergence of two softmaxes falls with T²: above 1,000 float32 rounds it away, and the loss is noise.
Temperature = Annotated[float, Field(gt=0, le=1000)]
# Types with a mark, which is their last argument. The training loop reads them with `marked_knobs`.
StudentLayer = Annotated[str, "student layer"]  # name of a layer to observe
TeacherLayer = Annotated[str, "teacher layer"]
StudentLayers = Annotated[list[str], Field(min_length=1), "student layer"]  # names of several layers
TeacherLayers = Annotated[list[str], Field(min_length=1), "teacher layer"]
FirstStage = Annotated[int, Field(ge=0), "first stage"]  # epochs, after which the optimizer is reset
TeacherWeight = Annotated[float, Field(ge=0, le=1), "teacher weight"]  # at 0 the student is the baseline


def knob_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's knobs."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


@cache
def knob_schema(function: Callable[..., Any]) -> type[BaseModel]:
    """Strict pydantic model of a function's knobs.

    Has names, types, bounds and defaults of the signature, and the descriptions of the docstring.
    """
    hints, descriptions = get_type_hints(function, include_extras=True), argument_descriptions(function)
    fields: dict[str, Any] = {}
    for name in knob_names(function):
        default = inspect.signature(function).parameters[name].default
        default = ... if default is inspect.Parameter.empty else default
        fields[name] = (hints.get(name, Any), Field(default=default, description=descriptions.get(name)))
    return knob_model(function.__name__, fields)


@cache
def marked_knobs(function: Callable[..., Any], marked_type: Any) -> tuple[str, ...]:
    """Return the knobs of a marked type, such as StudentLayer."""
    mark = get_args(marked_type)[-1]
    hints = get_type_hints(function, include_extras=True)
    return tuple(name for name, hint in hints.items() if mark in get_args(hint))


def knob_problems(
    function: Callable[..., Any], knobs: dict[str, Any], other_keys: Iterable[str] = (), searchable: bool = True
) -> list[Problem]:
    """Return the problems of a function's knobs; see knob_model_problems."""
    return knob_model_problems(knob_schema(function), knobs, other_keys, searchable)
