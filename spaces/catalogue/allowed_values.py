"""What a key takes, in words: "a number from 0 to 1", "a list of: a whole number from 1"."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_PARTS = {"model": "a network", "method": "a method", "data": "a data set", "teacher": "a teacher"}
_TYPES = {"string": "text", "boolean": "true or false", "object": "a mapping"}


def describe_values(given: list[Schema]) -> str:
    """Say what these schemas allow, each thing once; that a key may also be left empty goes without saying."""
    return " or ".join(dict.fromkeys(filter(None, map(_value, given)))) or "anything"


def _value(given: Schema) -> str:
    if "$ref" in given:
        return _part(given["$ref"].rpartition("/")[2])
    if "allOf" in given:  # a reference with restrictions
        return _value(given["allOf"][0])
    if "const" in given or "enum" in given:
        return " or ".join(str(word) for word in given.get("enum", [given.get("const")]))
    if given.get("type") == "array":
        items = given.get("items", {})
        return f"a list of: {describe_values(items.get('anyOf', [items]))}"
    if given.get("type") in ("number", "integer"):
        return f"{'a whole number' if given['type'] == 'integer' else 'a number'}{_bounds(given)}"
    return _TYPES.get(given.get("type", ""), "")


def _part(name: str) -> str:
    kind, _, rest = name.removeprefix("complete.").partition(".")
    return f"the keys of {rest}" if kind == "part" else _PARTS.get(kind, "")


def _bounds(given: Schema) -> str:
    low, above = given.get("minimum"), given.get("exclusiveMinimum")
    high, below = given.get("maximum"), given.get("exclusiveMaximum")
    lower = f" above {above}" if above is not None else f" from {low}" if low is not None else ""
    upper = f" below {below}" if below is not None else f" to {high}" if high is not None else ""
    return lower + (f" to{upper}" if lower and below is not None else upper)
