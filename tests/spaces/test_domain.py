"""Domains: parsing, values, and labels that survive JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.domain import Choice, Range, parse_choice, parse_range
from spaces.label import label_text
from spaces.prior import with_prior


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "empty choice"),
        (3, "list of options"),
        ([1, 2, 1.0], "option 3 of the choice repeats option 1"),
        ([[1], "[1]"], "option 2 of the choice repeats option 1"),
    ],
)
def test_invalid_choice(raw: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_choice(raw, (), "")


@pytest.mark.parametrize(
    ("kind", "ends", "log", "words"),
    [
        ("uniform", [1, 0], False, "reversed range"),
        ("uniform", [1, 1], False, "range of one number"),
        ("uniform", [0], False, "two finite numbers"),
        ("uniform", [0, True], False, "two finite numbers"),
        ("uniform", ["0", 1], False, "two finite numbers"),
        ("uniform", [0, math.inf], False, "two finite numbers"),
        ("uniform", [0, math.nan], False, "two finite numbers"),
        ("uniform", {"low": 0}, False, "two finite numbers"),
        ("uniform", [0, 1], True, "log range from 0"),
        ("uniform", [1, 2], None, "log: found nothing, expected true or false"),
        ("uniform", [1, 2], 10, "log: found 10, expected true or false"),
        ("loguniform", [0, 1], False, "log range from 0"),
        ("loguniform", [-1, 1], False, "log range from -1"),
        ("int", [1, 2.5], False, "two whole numbers"),
        ("int", [4, 1], False, "reversed range"),
        ("int", [0, 8], True, "log range from 0"),
    ],
)
def test_invalid_range(kind: str, ends: object, log: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_range(kind, ends, log)


def test_parse_range() -> None:
    assert parse_range("uniform", [1, 2]) == Range(1.0, 2.0)
    assert parse_range("loguniform", [1, 2]) == parse_range("uniform", [1, 2], True) == Range(1.0, 2.0, log=True)
    assert parse_range("int", [1, 64], True) == Range(1, 64, log=True, integer=True)
    assert parse_range("int", [1, 64]) != parse_range("int", [1, 64], True)


def test_priors_are_written_like_values() -> None:
    options = [[16], {"name": "mlp"}, None, 4]
    domain = parse_choice(options, tuple(options), "")
    assert [with_prior(domain, guess).prior for guess in ([16], "mlp", None, 4.0)] == ["[16]", "mlp", "", "4"]
    assert with_prior(Range(1, 64, log=True, integer=True), 8.0).prior == 8
    for guess in (["a"], {}, "4", None, True, 65):
        with pytest.raises(ValueError, match=r"prior: found .*, expected a number"):
            with_prior(Range(1, 64, integer=True), guess)


@given(st.booleans(), st.booleans(), st.floats(0, 1))
def test_places_on_a_range(log: bool, integer: bool, place: float) -> None:
    domain = Range(1, 64, log=log, integer=integer)
    number = domain.number_at(place)
    assert domain.value_of(number) == number
    assert domain.place_of(number) == pytest.approx(place, abs=0.1 if integer else 1e-9)


def test_range_values() -> None:
    assert isinstance(Range(0.0, 2.0).value_of(1), float)
    assert isinstance(Range(1, 4, integer=True).value_of(4.0), int)
    assert Range(1.0, 64.0, log=True).value_of(math.exp(math.log(64.0)) * (1 + 1e-15)) == 64.0
    integers = Range(1, 4, integer=True)
    for domain, label in [(Range(0, 1), 1.1), (integers, 2.5), (integers, True), (integers, None)]:
        with pytest.raises(ValueError, match="expected"):
            domain.value_of(label)


def test_unknown_option() -> None:
    for method in (Choice((1, 2), (1, 2)).value_of, Choice((1, 2), (1, 2)).normalize):
        with pytest.raises(ValueError, match="found 3, expected one of 1, 2"):
            method(3)


def test_labels() -> None:
    options = [
        {"name": "mlp", "depth": 1},
        {"name": "mlp", "depth": 2},
        {"name": "cnn"},
        {"depth": 3},
        [4, 5],
        None,
        True,
    ]
    domain = parse_choice(options, tuple(options), "model")
    assert domain.labels == ("mlp depth 1", "mlp depth 2", "cnn", "model-4", "[4,5]", None, True)
    assert [domain.normalize(alias) for alias in ("mlp", "mlp-2")] == ["mlp depth 1", "mlp depth 2"]  # of older rows
    assert [domain.value_of(label) for label in domain.labels] == options
    with pytest.raises(ValueError, match="expected one of"):
        domain.value_of("mlp-3")


def test_options_of_one_name_are_labelled_by_what_sets_them_apart() -> None:
    options = [
        {"name": "hinton", "alpha": 0.2, "temperature": 32},
        {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4},
        {"name": "hinton", "alpha": {"choice": [0, 1]}, "temperature": 4},
    ]
    labels = parse_choice(options, tuple(options), "method").labels
    assert labels == ("hinton alpha 0.2, temperature 32", "hinton temperature 4", "hinton temperature 4 (2)")
    before = [{"name": "hinton", "alpha": 0.9, "temperature": 1}, *options]
    assert parse_choice(before, tuple(before), "method").labels[1:] == labels  # an option before them renames none


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1)


@given(st.lists(scalars | words | st.lists(st.integers()), min_size=1, unique_by=repr))
def test_labels_survive_json_and_csv(options: list[object]) -> None:
    try:
        domain = parse_choice(options, tuple(options), "")
    except ValueError:
        return
    for label, option in zip(domain.labels, options, strict=True):
        assert domain.value_of(json.loads(json.dumps(label))) is option
        assert domain.value_of(_through_csv(label)) is option


def test_numpy_numbers() -> None:
    domain = parse_choice([1, 0.5, None], (1, 0.5, None), "")
    labels: list[Any] = [np.int64(1), np.float64(0.5), np.float64("nan")]
    assert [domain.value_of(label) for label in labels] == [1, 0.5, None]
    half: Any = np.float32(0.5)
    assert Range(0.0, 1.0).value_of(half) == 0.5
    assert label_text(np.int64(4)) == label_text(4.0) == "4"


def _through_csv(label: object) -> str:
    file = io.StringIO()
    csv.writer(file).writerow([label, "end"])
    return next(csv.reader(io.StringIO(file.getvalue())))[0]
