"""Signatures of data sets, networks and methods from the generated schema.

With them a space is validated before torch is imported, which takes seconds.

Decision: "A space is validated by the generated schema before torch is imported" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union

from pydantic import Field

from spaces.catalogue.entries import EntryKey, Schema, catalogue_entries, entry_keys, find_entries
from spaces.errors import Problem
from spaces.named_parts import Signature, SignatureSource, knob_model, network_validator, part_problems
from spaces.parts import Model
from spaces.recipe import Recipe

FIRST_STAGE_MARK = "first stage"  # of trainables.knobs.FirstStage
_TYPES = {"number": float, "integer": int, "boolean": bool, "string": str, "null": None, "object": dict[str, Any]}
_BOUNDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "minItems": "min_length",
    "minLength": "min_length",
}


def catalogued_problems(recipe: Recipe) -> Iterator[Problem]:
    """Yield unknown names, and knobs not accepted by their functions."""
    return part_problems(recipe, CATALOGUE)


@cache
def _signature(kind: str, name: str) -> Signature:
    (entry,) = find_entries(name, kind)
    keys = [key for key in entry_keys(entry) if kind != "model" or key.name not in Model.model_fields]
    first_stage = tuple(key.name for key in keys if key.mark == FIRST_STAGE_MARK)
    return Signature(knob_model(name, {key.name: _field(key) for key in keys}), first_stage, entry.needs_teacher)


@cache
def _names(kind: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in catalogue_entries(kind))


CATALOGUE = SignatureSource(_names, _signature)
_NESTED_NETWORK = Annotated[dict[str, Any], network_validator(CATALOGUE)]


def _field(key: EntryKey) -> tuple[Any, Any]:
    # The default is not validated; a key without one in the schema may also be null.
    default = ... if key.required else key.default
    return _union(key.values), Field(default=default, description=key.description or None)


def _union(schemas: list[Schema]) -> Any:
    return Union[tuple(_annotation(schema) for schema in schemas)]  # noqa: UP007  # of a computed tuple


def _annotation(schema: Schema) -> Any:
    if "$ref" in schema or "allOf" in schema:  # a network is the only part among knobs
        return _NESTED_NETWORK
    if "const" in schema or "enum" in schema:
        return Literal[tuple(schema.get("enum", [schema.get("const")]))]
    if not schema:
        return Any
    if "anyOf" in schema:
        return _union(schema["anyOf"])
    annotation = list[_annotation(schema["items"])] if schema["type"] == "array" else _TYPES[schema["type"]]  # type: ignore[misc]
    bounds: dict[str, Any] = {_BOUNDS[word]: value for word, value in schema.items() if word in _BOUNDS}
    return Annotated[annotation, Field(**bounds)] if bounds else annotation
