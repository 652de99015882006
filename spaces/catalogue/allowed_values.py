"""Allowed values in words, such as "a number from 0 to 1"."""

from __future__ import annotations

from spaces.catalogue.entries import Schema

_PART_WORDS = {"model": "a network", "method": "a method", "data": "a data set", "teacher": "a teacher"}
_TYPE_WORDS = {"string": "text", "boolean": "true or false", "object": "a mapping"}


def describe_values(schemas: list[Schema]) -> str:
    """Return the values allowed by any of the schemas, without null."""
    return " or ".join(dict.fromkeys(filter(None, map(_describe_schema, schemas)))) or "anything"


def _describe_schema(schema: Schema) -> str:
    if "$ref" in schema:
        return _describe_part(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema:  # a reference with restrictions
        return _describe_schema(schema["allOf"][0])
    if "const" in schema or "enum" in schema:
        return " or ".join(str(word) for word in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return f"a list of: {describe_values(items.get('anyOf', [items]))}"
    if schema.get("type") in ("number", "integer"):
        return f"{'a whole number' if schema['type'] == 'integer' else 'a number'}{_describe_bounds(schema)}"
    return _TYPE_WORDS.get(schema.get("type", ""), "")


def _describe_part(name: str) -> str:
    kind, _, rest = name.removeprefix("complete.").partition(".")
    return f"the keys of {rest}" if kind == "part" else _PART_WORDS.get(kind, "")


def _describe_bounds(schema: Schema) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    lower = f" above {above}" if above is not None else f" from {low}" if low is not None else ""
    upper = f" below {below}" if below is not None else f" to {high}" if high is not None else ""
    return lower + (f" to{upper}" if lower and below is not None else upper)
