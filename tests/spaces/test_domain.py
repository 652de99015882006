"""Domains: what is refused, what is picked, and that labels survive their journeys."""

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

from spaces.domain import Choice, Int, LogUniform, Uniform, parse
from spaces.label import text


@pytest.mark.parametrize(
    ("kind", "given_", "words"),
    [
        ("choice", [], "empty choice"),
        ("choice", 3, "list of options"),
        ("choice", [1, 2, 1.0], "option 3 of the choice repeats option 1"),
        ("choice", [[1], "[1]"], "option 2 of the choice repeats option 1"),
        ("uniform", [1, 0], "reversed range"),
        ("uniform", [1, 1], "range of one number"),
        ("uniform", [0], "two finite numbers"),
        ("uniform", [0, True], "two finite numbers"),
        ("uniform", ["0", 1], "two finite numbers"),
        ("uniform", [0, math.inf], "two finite numbers"),
        ("uniform", [0, math.nan], "two finite numbers"),
        ("uniform", {"low": 0}, "two finite numbers"),
        ("loguniform", [0, 1], "log range from 0"),
        ("loguniform", [-1, 1], "log range from -1"),
        ("int", [1, 2.5], "two whole numbers"),
        ("int", [4, 1], "reversed range"),
    ],
)
def test_refused(kind: str, given_: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(kind, given_)


def test_ranges_pick_inside_only() -> None:
    assert Uniform(0.0, 1.0).pick(1) == 1.0
    assert isinstance(Uniform(0.0, 2.0).pick(1), float)
    assert isinstance(Int(1, 4).pick(4.0), int)
    assert LogUniform(1.0, 64.0).pick(math.exp(math.log(64.0)) * (1 + 1e-15)) == 64.0
    for domain, label in [(Uniform(0, 1), 1.1), (Int(1, 4), 2.5), (Int(1, 4), True), (Int(1, 4), None)]:
        with pytest.raises(ValueError, match="expected"):
            domain.pick(label)
    for ask in (Choice((1, 2), (1, 2)).pick, Choice((1, 2), (1, 2)).label):
        with pytest.raises(ValueError, match="found 3, expected one of 1, 2"):
            ask(3)


def test_a_log_range_is_not_a_uniform_one() -> None:
    assert not isinstance(LogUniform(1.0, 2.0), Uniform)
    assert LogUniform(1.0, 2.0) != Uniform(1.0, 2.0)


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
    domain = parse("choice", options, tuple(options), "model")
    assert isinstance(domain, Choice)
    assert domain.labels == ("mlp-1", "mlp-2", "cnn", "model-4", "[4,5]", None, True)
    assert [domain.pick(label) for label in domain.labels] == options
    with pytest.raises(ValueError, match="expected one of"):
        domain.pick("mlp")


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1)


@given(st.lists(scalars | words | st.lists(st.integers()), min_size=1, unique_by=repr))
def test_labels_survive_json_and_csv(options: list[object]) -> None:
    try:
        domain = parse("choice", options, tuple(options))
    except ValueError:
        return
    assert isinstance(domain, Choice)
    for label, option in zip(domain.labels, options, strict=True):
        assert domain.pick(json.loads(json.dumps(label))) is option
        assert domain.pick(_through_csv(label)) is option


def test_numbers_of_numpy_are_numbers() -> None:
    domain: Any = parse("choice", [1, 0.5, None], (1, 0.5, None))
    assert [domain.pick(found) for found in (np.int64(1), np.float64(0.5), np.float64("nan"))] == [1, 0.5, None]
    half: Any = np.float32(0.5)
    assert Uniform(0.0, 1.0).pick(half) == 0.5
    assert text(np.int64(4)) == text(4.0) == "4"


def _through_csv(label: object) -> str:
    file = io.StringIO()
    csv.writer(file).writerow([label, "end"])
    return next(csv.reader(io.StringIO(file.getvalue())))[0]
