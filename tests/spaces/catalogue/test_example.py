"""Example values are valid for their schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from spaces.catalogue.example import example_numbers, example_value

NETWORK = {"name": "mlp", "hidden": [8]}


def bounds(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of numbers that hold at least 1 and 2, bounded or not."""
    low = st.fixed_dictionaries({}, optional={"minimum": st.integers(-5, 1)})
    return st.builds(lambda a, b: {"type": kind, **a, **b}, low, st.sampled_from([{}, {"maximum": 2}, {"maximum": 40}]))


@given(bounds("number") | bounds("integer") | st.just({"type": "number", "exclusiveMinimum": 0}))
def test_numbers_are_valid_and_sorted(schema: dict[str, Any]) -> None:
    numbers = example_numbers(schema)
    assert numbers == sorted(numbers) and all(Draft7Validator(schema).is_valid(number) for number in numbers)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"minimum": 0, "maximum": 1, "type": "number"}, 0.5),
        ({"minimum": 0, "exclusiveMaximum": 1, "type": "number"}, 0.5),
        ({"exclusiveMinimum": 0, "type": "number"}, 4),
        ({"enum": ["same", "valid"]}, "same"),
        ({"const": "x"}, "x"),
        ({"type": "boolean"}, True),
        ({"type": "string"}, "FOLDER"),
        ({"type": "array", "items": {"type": "integer", "minimum": 1}}, [2]),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}, "minItems": 2}, {"type": "null"}]}, [2, 2]),
        ({"$ref": "#/definitions/model.mlp"}, NETWORK),
        ({"type": "array", "items": {"anyOf": [{"$ref": "#/definitions/model.mlp"}]}, "minItems": 1}, [NETWORK]),
    ],
)
def test_example_of_each_kind(schema: dict[str, Any], value: Any) -> None:
    assert example_value(schema, NETWORK, "folder") == value
