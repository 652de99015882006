"""JSON Schemas of domains, by their values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from spaces.domain import DOMAIN_FORMS, LOG_DESCRIPTION, LOG_KEY
from spaces.prior import PRIOR_DESCRIPTION, PRIOR_KEY

Schema = dict[str, Any]
LABEL_TYPES = ["null", "boolean", "number", "string", "array"]  # an option with a name is written by its label


def any_of(alternatives: Iterable[Schema], **notes: Any) -> Schema:
    """Return a schema of alternatives without repeats, with notes beside it.

    A reference stays inside anyOf: validators of draft 7 ignore what is beside a reference.
    """
    distinct: list[Schema] = []
    for alternative in alternatives:
        distinct += [alternative] if alternative not in distinct else []
    return {**(distinct[0] if len(distinct) == 1 and "$ref" not in distinct[0] else {"anyOf": distinct}), **notes}


def domain_schemas(options: list[Schema], kinds: Iterable[str]) -> list[Schema]:
    """Return the domains of a key with the values `options`.

    Ranges are for numbers only; `int` is for all numbers.
    """
    integers = [option for option in options if option.get("type") == "integer"]
    numbers = [option for option in options if option.get("type") in ("number", "integer")]
    floats = [option for option in numbers if option not in integers]
    elements = {
        "choice": options,
        "uniform": floats,
        "loguniform": [_positive(option) for option in floats],
        "int": [{**option, "type": "integer"} for option in numbers if "enum" not in option and _holds_two(option)],
    }
    return [_domain_schema(kind, elements[kind]) for kind in kinds if elements[kind]]


def _domain_schema(kind: str, options: list[Schema]) -> Schema:
    length = {"minItems": 1, "uniqueItems": True} if kind == "choice" else {"minItems": 2, "maxItems": 2}
    values = {"description": DOMAIN_FORMS[kind][0], "type": "array", "items": any_of(options), **length}
    log = {LOG_KEY: {"type": "boolean", "description": LOG_DESCRIPTION}} if kind in ("uniform", "int") else {}
    guess = LABEL_TYPES if kind == "choice" else "number"
    prior = {PRIOR_KEY: {"type": guess, "description": PRIOR_DESCRIPTION}}
    return {
        "title": kind,
        "type": "object",
        "properties": {kind: values, **log, **prior},
        "required": [kind],
        "additionalProperties": False,
    }


def _holds_two(number: Schema) -> bool:
    """Return true if the bounds contain two integers.

    A dropout rate below 1 has only 0.
    """
    low, high = number.get("minimum", -math.inf), number.get("maximum", math.inf)
    low = max(low, number.get("exclusiveMinimum", -math.inf) + 1)
    high = min(high, number.get("exclusiveMaximum", math.inf) - 1)
    return high - low >= 1


def _positive(number: Schema) -> Schema:
    """Return the schema of the positive numbers among these."""
    low = max(number.get("minimum", 0), number.get("exclusiveMinimum", 0))
    return number if low > 0 else {**number, "exclusiveMinimum": 0}
