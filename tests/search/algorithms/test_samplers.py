"""Conformance tests of all samplers; formulas stand in for training."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from search.algorithms import SAMPLERS
from search.algorithms.samplers import START_POINTS
from search.algorithms.study_parameters import StudyParameters
from spaces.search_section import Search

EVERYTHING = {
    "student": {"model": {"name": "mlp", "hidden": {"choice": [[8], [16, 16]]}}},
    "method": {
        "choice": [
            {"name": "hinton", "alpha": {"uniform": [0.1, 0.9]}, "temperature": {"loguniform": [1, 64]}},
            {"name": "none"},
        ]
    },
    "train": {
        "epochs": {"int": [1, 5]},
        "lr": {"loguniform": [1e-4, 1e-1]},
        "schedule": {"choice": ["cosine", "linear"]},
    },
    "search": {"algorithm": "random", "trials": 60},
}
BOWL = {
    "method": {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": {"loguniform": [1, 64]}},
    "train": {"lr": {"loguniform": [1e-4, 1e-1]}},
    "search": {"algorithm": "random", "trials": 40},
}


def bowl(values: dict[str, Any]) -> float:
    """Return 0 at alpha 0.7, T 4 and learning rate 0.003, and about -1 at the ends of a range."""
    aside = (values["method.alpha"] - 0.7) ** 2
    aside += math.log(values["method.temperature"] / 4, 64) ** 2
    return -aside - math.log(values["train.lr"] / 0.003, 1000) ** 2


def proposals(space: Any, algorithm: str, seed: int, trials: int, value=lambda values: 0.0) -> list[dict[str, Any]]:
    """Return the proposals of a sampler, each with an immediate result."""
    parameters = StudyParameters(space)
    sampler = SAMPLERS[algorithm](Search(algorithm=algorithm, trials=trials), seed, parameters.distributions)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    proposed = []
    for _ in range(trials):
        trial = study.ask()
        proposed.append(parameters.sample(trial))
        study.tell(trial, value(proposed[-1]))
    return proposed


@pytest.fixture(params=SAMPLERS)
def sampler(request) -> str:
    return request.param


def test_proposals_are_recipes(space, sampler):
    everything = space(**EVERYTHING)
    for values in proposals(everything, sampler, 0, 60):
        everything.fill(values, 0)  # refuses what lies outside its domain


def test_every_option_and_both_halves_of_a_range_are_proposed(space, sampler):
    proposed = proposals(space(**EVERYTHING), sampler, 0, 60)
    assert {values["method"] for values in proposed} == {"hinton", "none"}
    assert {values["student.model.hidden"] for values in proposed} == {"[8]", "[16,16]"}
    assert {values["train.epochs"] for values in proposed} == {1, 2, 3, 4, 5}
    assert {values["train.lr"] > math.sqrt(1e-4 * 1e-1) for values in proposed} == {True, False}


def test_logarithmic_integers(space, sampler):
    method = {"name": "hinton", "alpha": 0.5, "temperature": {"int": [1, 8], "log": True}}
    searched = space(method=method, search={"algorithm": "random", "trials": 100})
    drawn = [values["method.temperature"] for values in proposals(searched, sampler, 0, 100)]
    assert all(type(number) is int for number in drawn) and {1, 8} <= set(drawn) <= set(range(1, 9))
    if sampler == "random":
        assert sum(number <= 2 for number in drawn) > 40  # 57 expected, 25 without the logarithm


def test_knobs_of_a_method_come_with_that_method_alone(space, sampler):
    for values in proposals(space(**EVERYTHING), sampler, 0, 60):
        assert ("method.alpha" in values) == ("method.temperature" in values) == (values["method"] == "hinton")


def test_a_seed_gives_the_same_proposals_again_and_another_seed_others(space, sampler):
    everything = space(**EVERYTHING)
    first = proposals(everything, sampler, 1, 20, lambda values: values["train.lr"])
    assert proposals(everything, sampler, 1, 20, lambda values: values["train.lr"]) == first
    assert proposals(everything, sampler, 2, 20, lambda values: values["train.lr"]) != first


def test_sobol_points_cover_numbers_choices_and_knobs_of_one_option(space):
    """Each sixteenth of a range has one of 16 points; options, and the ranges within one, have equal shares."""
    proposed = proposals(space(**EVERYTHING), "qmc", 3, 64)
    for block in (proposed[first : first + 16] for first in range(0, 64, 16)):
        rates = [math.log(values["train.lr"] / 1e-4, 1000) for values in block]
        assert sorted(int(16 * rate) for rate in rates) == list(range(16))
        for knob in ("method", "student.model.hidden", "train.schedule"):
            options = [values[knob] for values in block]
            assert {options.count(option) for option in options} == {8}
    alphas = [values["method.alpha"] for values in proposed if "method.alpha" in values]
    assert {int(8 * (alpha - 0.1) / 0.8) for alpha in alphas} == set(range(8))


def test_tpe_starts_with_the_sobol_points_and_leaves_them_for_its_results(space):
    first, more = START_POINTS, START_POINTS + 5
    sobol, tpe = (proposals(space(**BOWL), name, 3, more, bowl) for name in ("qmc", "tpe"))
    assert tpe[:first] == sobol[:first] and not [values for values in tpe[first:] if values in sobol]


def test_tpe_beats_random_on_a_bowl(space):
    """Chosen beforehand: ten seeds, forty trials, less than half the mean distance from the top."""
    smooth = space(**BOWL)
    lost = {
        name: sum(-max(map(bowl, proposals(smooth, name, seed, 40, bowl))) for seed in range(10)) for name in SAMPLERS
    }
    assert lost["tpe"] < 0.5 * lost["random"]
