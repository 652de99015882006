"""Allowed values in words."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.catalogue.allowed_values import describe_values

WHOLE = {"type": "integer", "minimum": 1}


@pytest.mark.parametrize(
    ("schemas", "words"),
    [
        ([{"type": "number"}], "a number"),
        ([{"type": "number", "minimum": 0, "maximum": 1}], "a number from 0 to 1"),
        ([{"type": "number", "minimum": 0, "exclusiveMaximum": 1}], "a number from 0 to below 1"),
        ([{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}], "a number above 0"),
        ([{"type": "number", "exclusiveMaximum": 1}], "a number below 1"),
        ([{"type": "integer", "maximum": 3}], "a whole number to 3"),
        ([WHOLE, {"type": "array", "items": WHOLE}], "a whole number from 1 or a list of: a whole number from 1"),
        ([{"enum": ["same", "valid"]}], "same or valid"),
        ([{"const": "grid"}, {"const": "tpe"}], "grid or tpe"),
        ([{"$ref": "#/definitions/model.cnn"}, {"$ref": "#/definitions/model.mlp"}], "a network"),
        ([{"$ref": "#/definitions/part.train"}], "the keys of train"),
        ([{"type": "boolean"}], "true or false"),
        ([{}], "anything"),
    ],
)
def test_describe_values(schemas: list[dict[str, Any]], words: str) -> None:
    assert describe_values(schemas) == words
