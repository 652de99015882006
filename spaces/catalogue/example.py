"""Example values for keys without a default."""

from __future__ import annotations

from spaces.catalogue.entries import Schema
from spaces.document import Tree, YamlValue


def example_value(schema: Schema, network: Tree, name: str) -> YamlValue:
    """Return a plain value allowed by a schema.

    `network` is the example of a network, `name` that of a string.
    """
    first = schema["anyOf"][0] if "anyOf" in schema else schema
    if "$ref" in first or "allOf" in first or first.get("type") == "object":
        return network
    if "const" in first or "enum" in first:
        return first.get("const", first.get("enum", [None])[0])
    if first.get("type") == "array":
        return [example_value(first.get("items", {}), network, name)] * first.get("minItems", 1)
    if first.get("type") in ("number", "integer"):
        return example_numbers(first)[1]
    return {"boolean": True}.get(first.get("type", ""), name.upper())


def example_numbers(schema: Schema) -> list[int | float]:
    """Return three numbers allowed by a schema.

    They are spread between its bounds, or multiples of its lower bound.
    """
    low, high = _bound(schema, "inimum"), _bound(schema, "aximum")
    integer = schema.get("type") == "integer"
    if low is not None and high is not None and not integer:
        return [round(low + (high - low) * part, 6) for part in (0.1, 0.5, 0.9)]
    start = max(1, low or 0) + (integer and "exclusiveMinimum" in schema)
    factors = (1, 2, 4) if integer else (1, 4, 16)
    numbers = [start * factor for factor in factors]
    return [number if high is None or number <= high else high for number in numbers]


def _bound(schema: Schema, end: str) -> float | None:
    return schema.get(f"m{end}", schema.get(f"exclusiveM{end}"))
