"""Signatures as schemas of the YAML."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest

from trainables.data import DATASETS
from trainables.knobs import Count, Fraction, Positive, Rate, knob_problems, knob_schema
from trainables.methods import METHODS
from trainables.models import MODELS


def function(
    student: object,
    *,
    alpha: Fraction,
    temperature: Positive = 4.0,
    dropout: Rate = 0.0,
    hidden: list[Count],
    padding: Literal["same", "valid"] = "same",
    soft: bool = True,
    name_of_layer: str | None = None,
    anything: Any = None,
    unannotated=3,  # type: ignore[no-untyped-def]
) -> None:
    """Take one knob of each kind."""


GOOD: dict[str, Any] = {"alpha": 0.5, "hidden": [3, 4]}


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"alpha": 0},
        {"alpha": 1, "temperature": 64},
        {"dropout": 0.99, "hidden": []},
        {"padding": "valid", "soft": False, "name_of_layer": "relu1"},
        {"anything": {"at": ["all"]}, "unannotated": "too"},
    ],
    ids=str,
)
def test_no_problems(knobs: dict[str, Any]) -> None:
    assert knob_problems(function, GOOD | knobs) == []


@pytest.mark.parametrize(
    ("knobs", "path", "message"),
    [
        ({"alpha": 1.5}, "alpha", "found 1.5, expected at most 1"),
        ({"alpha": -0.1}, "alpha", "found -0.1, expected at least 0"),
        ({"alpha": "half"}, "alpha", "expected a number"),
        ({"alpha": True}, "alpha", "found true, expected a number"),
        ({"alpha": None}, "alpha", "expected a number"),
        ({"alpha": math.nan}, "alpha", "expected a finite number"),
        ({"temperature": 0}, "temperature", "found 0, expected more than 0"),
        ({"temperature": math.inf}, "temperature", "expected a finite number"),
        ({"dropout": 1}, "dropout", "found 1, expected less than 1"),
        ({"hidden": 784}, "hidden", "found 784, expected a list"),
        ({"hidden": [3, 0]}, "hidden.1", "found 0, expected at least 1"),
        ({"hidden": [3, 4.0]}, "hidden.1", "expected a whole number"),
        ({"padding": "sme"}, "padding", "expected same or valid; did you mean same?"),
        ({"soft": 1}, "soft", "found 1, expected true or false"),
        ({"temprature": 4}, "temprature", "unknown key; did you mean temperature?"),
        ({"student": 3}, "student", "unknown key"),
    ],
    ids=str,
)
def test_one_problem_for_one_mistake(knobs: dict[str, Any], path: str, message: str) -> None:
    ((problem_path, text),) = knob_problems(function, GOOD | knobs)
    assert problem_path == path and message in text


def test_missing_knobs() -> None:
    assert knob_problems(function, {"alpha": 0.5}) == [("hidden", "missing")]
    assert knob_problems(function, {"hiden": [3], "alpha": 0.5}) == [("hiden", "unknown key; did you mean hidden?")]


def test_several_problems() -> None:
    assert len(knob_problems(function, {"alpha": 2, "hidden": 3, "soft": "no"})) == 3


def test_a_function_without_knobs_takes_none() -> None:
    assert knob_problems(METHODS["none"], {}) == []
    ((path, _),) = knob_problems(METHODS["none"], {"alpha": 0.5})
    assert path == "alpha"


@pytest.mark.parametrize("entry", [*METHODS.values(), *MODELS.values(), *DATASETS.values()], ids=lambda f: f.__name__)
def test_every_registered_function_is_annotated(entry: Any) -> None:
    for name, field in knob_schema(entry).model_fields.items():
        assert field.annotation is not Any, name
        if not field.is_required():
            assert knob_problems(entry, {name: field.default}) in ([], knob_problems(entry, {}))


def test_a_known_key_is_not_taken_for_a_missing_one() -> None:
    problems = knob_problems(METHODS["hinton"], {"alpha": 0.5, "final_temperature": 2.0})
    assert problems == [("temperature", "missing")]
    problems = knob_problems(METHODS["hinton"], {"alpha": 0.5, "temprature": 2.0})
    assert problems == [("temprature", "unknown key; did you mean temperature?")]
