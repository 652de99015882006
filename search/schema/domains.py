"""JSON Schema for values that may be searched: beside what a key takes, the domains that may stand in its place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]


def either(alternatives: Iterable[Schema], **more: Any) -> Schema:
    """One of these schemas, each once; `more` stands beside it."""
    found: list[Schema] = []
    for each in alternatives:
        found += [each] if each not in found else []
    return {**(found[0] if len(found) == 1 and "$ref" not in found[0] else {"anyOf": found}), **more}


def domains(options: list[Schema], kinds: Iterable[str]) -> list[Schema]:
    """The domains of these kinds for a key whose values are `options`: ranges only for numbers, int for all numbers."""
    whole = [each for each in options if each.get("type") == "integer"]
    numbers = [each for each in options if each.get("type") in ("number", "integer")]
    ends = {
        "choice": options,
        "uniform": [each for each in numbers if each not in whole],
        "loguniform": [_positive(each) for each in numbers if each not in whole],
        "int": [{**each, "type": "integer"} for each in numbers if "enum" not in each and _holds_two(each)],
    }
    return [_domain(kind, ends[kind]) for kind in kinds if ends[kind]]


def _domain(kind: str, options: list[Schema]) -> Schema:
    items = {"type": "array", "items": either(options)}
    many = {"minItems": 1, "uniqueItems": True} if kind == "choice" else {"minItems": 2, "maxItems": 2}
    return {
        "title": kind,
        "type": "object",
        "properties": {kind: {**items, **many}},
        "required": [kind],
        "additionalProperties": False,
    }


def _holds_two(number: Schema) -> bool:
    """Whether two whole numbers lie within the bounds: no dropout below 1 is one of them but 0."""
    low, high = number.get("minimum", -math.inf), number.get("maximum", math.inf)
    low = max(low, number.get("exclusiveMinimum", -math.inf) + 1)
    high = min(high, number.get("exclusiveMaximum", math.inf) - 1)
    return high - low >= 1


def _positive(number: Schema) -> Schema:
    """A number whose logarithm can be taken."""
    low = max(number.get("minimum", 0), number.get("exclusiveMinimum", 0))
    return number if low > 0 else {**number, "exclusiveMinimum": 0}
