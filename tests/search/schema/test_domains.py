"""Which domains a value may be searched by."""

from __future__ import annotations

from typing import Any

import pytest

from search.schema.domains import domains, either
from spaces.domain import KINDS

WHOLE, REAL, WORD = {"type": "integer", "minimum": 1}, {"type": "number", "minimum": 0}, {"enum": ["a", "b"]}


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ([WORD], ["choice"]),
        ([{"type": "boolean"}, {"type": "null"}], ["choice"]),
        ([WHOLE], ["choice", "int"]),
        ([{"type": "number", "minimum": 0, "exclusiveMaximum": 1}], ["choice", "uniform", "loguniform"]),
        ([{"type": "number", "minimum": 0, "maximum": 1}], ["choice", "uniform", "loguniform", "int"]),
        ([REAL, {"type": "null"}], ["choice", "uniform", "loguniform", "int"]),
    ],
)
def test_ranges_are_for_numbers_alone(options: list[dict[str, Any]], kinds: list[str]) -> None:
    assert [each["title"] for each in domains(options, KINDS)] == kinds
    assert domains(options, ()) == []


def test_a_range_ends_where_its_values_do() -> None:
    found = {each["title"]: each["properties"][each["title"]] for each in domains([REAL], KINDS)}
    assert found["uniform"]["items"] == REAL
    assert found["int"]["items"] == {"type": "integer", "minimum": 0}
    assert found["loguniform"]["items"]["exclusiveMinimum"] == 0
    assert (found["uniform"]["minItems"], found["uniform"]["maxItems"]) == (2, 2)


def test_a_log_range_above_zero_keeps_its_own_bound() -> None:
    (found,) = domains([{"type": "number", "minimum": 2}], ["loguniform"])
    assert found["properties"]["loguniform"]["items"] == {"type": "number", "minimum": 2}


def test_alternatives_stand_once() -> None:
    assert either([WORD, WORD]) == WORD
    assert either([WORD, WHOLE, WORD], default="a") == {"anyOf": [WORD, WHOLE], "default": "a"}
    reference = {"$ref": "#/definitions/x"}  # beside which a validator of draft 7 sees nothing
    assert either([reference], default="a") == {"anyOf": [reference], "default": "a"}
