"""Domains offered for a value, and the values inside them."""

from __future__ import annotations

from typing import Any

import pytest

from search.schema.domains import any_of, domain_schemas
from spaces.domain import DOMAIN_KINDS

INTEGER, NUMBER, WORD = {"type": "integer", "minimum": 1}, {"type": "number", "minimum": 0}, {"enum": ["a", "b"]}


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ([WORD], ["choice"]),
        ([{"type": "boolean"}, {"type": "null"}], ["choice"]),
        ([INTEGER], ["choice", "int"]),
        ([{"type": "number", "minimum": 0, "exclusiveMaximum": 1}], ["choice", "uniform", "loguniform"]),
        ([{"type": "number", "minimum": 0, "maximum": 1}], ["choice", "uniform", "loguniform", "int"]),
        ([NUMBER, {"type": "null"}], ["choice", "uniform", "loguniform", "int"]),
    ],
)
def test_ranges_are_for_numbers_only(options: list[dict[str, Any]], kinds: list[str]) -> None:
    assert [domain["title"] for domain in domain_schemas(options, DOMAIN_KINDS)] == kinds
    assert domain_schemas(options, ()) == []


def test_a_range_has_the_bounds_of_its_values() -> None:
    values = {
        domain["title"]: domain["properties"][domain["title"]] for domain in domain_schemas([NUMBER], DOMAIN_KINDS)
    }
    assert values["uniform"]["items"] == NUMBER
    assert values["int"]["items"] == {"type": "integer", "minimum": 0}
    assert values["loguniform"]["items"]["exclusiveMinimum"] == 0
    assert (values["uniform"]["minItems"], values["uniform"]["maxItems"]) == (2, 2)


def test_a_log_range_above_zero_keeps_its_own_bound() -> None:
    (domain,) = domain_schemas([{"type": "number", "minimum": 2}], ["loguniform"])
    assert domain["properties"]["loguniform"]["items"] == {"type": "number", "minimum": 2}


def test_alternatives_are_distinct() -> None:
    assert any_of([WORD, WORD]) == WORD
    assert any_of([WORD, INTEGER, WORD], default="a") == {"anyOf": [WORD, INTEGER], "default": "a"}
    reference = {"$ref": "#/definitions/x"}  # validators of draft 7 ignore what is beside it
    assert any_of([reference], default="a") == {"anyOf": [reference], "default": "a"}
