"""Shares of the variance in simulated grids with known effects."""

from __future__ import annotations

import itertools

import numpy
import pytest

from results import stats
from results.variance_shares import INTERACTIONS, NOISE, variance_shares

CELLS = list(itertools.product(range(3), range(4), range(5)))  # row, column, seed
ROWS, COLUMNS, SEEDS = ([cell[place] for cell in CELLS] for place in range(3))


def shares(effect: float, interaction: float = 0.0, noise: float = 1.0) -> dict[str, float]:
    random = numpy.random.default_rng(3)
    row, column = numpy.array(ROWS), numpy.array(COLUMNS)
    scores = effect * row + interaction * row * column + noise * random.standard_normal(len(CELLS))
    resampled = variance_shares(scores, {"row": ROWS, "column": COLUMNS}, SEEDS)
    return {name: float(values.mean()) for name, values in resampled.items()}


def test_an_effect_of_noise_has_a_share_near_zero():
    """As the analysis of variance finds none."""
    found = shares(0.0)
    effects = stats.effects(numpy.random.default_rng(3).standard_normal(len(CELLS)), ROWS, COLUMNS, SEEDS)
    assert not any(effect.detected for effect in effects)
    assert found[NOISE] > 75 and max(found["row"], found["column"]) < 10


def test_shares_are_those_of_the_variance():
    found = shares(2.0)  # variance of the rows: 2 squared times 2/3, beside 1
    assert found["row"] == pytest.approx(100 * 2.67 / 3.67, abs=8) and found["column"] < 5
    assert sum(found.values()) == pytest.approx(100, abs=3)
    assert shares(2.0, noise=0.01)[NOISE] < 1 and shares(0.0, interaction=2.0)[INTERACTIONS] > 15


def test_one_seed_has_no_shares():
    assert variance_shares(numpy.arange(4.0), {"a": [1, 1, 2, 2], "b": [1, 2, 1, 2]}, [0] * 4) == {}
