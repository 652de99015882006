"""Values to start from, for keys that have no default."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def example(given: Schema, network: dict[str, Any], name: str) -> Any:
    """A plain value that a schema allows; `network` stands wherever a network is asked for, `name` for a text."""
    first = given["anyOf"][0] if "anyOf" in given else given
    if "$ref" in first or first.get("type") == "object":
        return network
    if "const" in first or "enum" in first:
        return first.get("const", first.get("enum", [None])[0])
    if first.get("type") == "array":
        return [example(first.get("items", {}), network, name)] * first.get("minItems", 1)
    if first.get("type") in ("number", "integer"):
        return options(first)[1]
    return {"boolean": True}.get(first.get("type", ""), name.upper())


def options(number: Schema) -> list[int | float]:
    """Three numbers that a schema allows: spread between its bounds, or growing from its lower one."""
    low, high = _bound(number, "inimum"), _bound(number, "aximum")
    whole = number.get("type") == "integer"
    if low is not None and high is not None and not whole:
        return [round(low + (high - low) * part, 6) for part in (0.1, 0.5, 0.9)]
    start = max(1, low or 0) + (whole and "exclusiveMinimum" in number)
    found = [start, 2 * start, 4 * start] if whole else [start, 4 * start, 16 * start]
    return [each if high is None or each <= high else high for each in found]


def _bound(number: Schema, end: str) -> float | None:
    return number.get(f"m{end}", number.get(f"exclusiveM{end}"))
