"""Interactions of knobs in searches with known effects."""

from __future__ import annotations

import numpy
import pandas
import pytest

from results import knob_interactions as module
from results import markdown
from results.experiment import load_experiment
from results.knob_interactions import interaction_findings, knob_interactions, knobs_without_effect

ALPHA, HEAT, RATE = "method.alpha", "method.temperature", "train.lr"


@pytest.fixture
def searched(tmp_path, synthetic):
    """A random search of 60 students over three ranges; scores are set by the test."""
    rest = "search: {algorithm: random, trials: 60}\n"
    text = synthetic.space(rest=rest).replace("lr: 0.001", "lr: {loguniform: [0.001, 0.1]}")
    text = text.replace("{choice: [0, 0.5, 1]}", "{uniform: [0.1, 1]}").replace(
        "{choice: [1, 4, 16]}", "{loguniform: [1, 16]}"
    )
    built, random = synthetic.Build(tmp_path / "run", text, epochs=1), numpy.random.default_rng(1)
    for number in range(60):
        values = {ALPHA: random.uniform(0.1, 1), HEAT: 16 ** random.random(), RATE: 10 ** random.uniform(-3, -1)}
        built.student("explore", values, 0, "stopped" if number % 3 == 0 else "finished")
    return load_experiment(built.done())


def with_scores(experiment, interaction: float, seed: int = 0):
    students = experiment.students
    ranks = [students[name].astype(float).rank() / len(students) - 0.5 for name in (ALPHA, HEAT, RATE)]
    noise = numpy.random.default_rng(seed).normal(0, 0.1, len(students))
    scores = pandas.Series(0.9 + 0.3 * ranks[0] + 0.2 * ranks[2] + interaction * ranks[0] * ranks[1] + noise)
    epochs = experiment.epochs.assign(
        val_accuracy=experiment.epochs["trial"].map(dict(zip(students["trial"], scores, strict=True)))
    )
    return experiment._replace(students=students.assign(val_accuracy=scores), epochs=epochs)


def test_an_interaction_of_a_search_is_found_and_named(searched):
    experiment = with_scores(searched, 2.0)
    first, *others = knob_interactions(experiment)
    assert first.knobs == (ALPHA, HEAT) and first.p < 0.001 and len(others) == 2
    (text,) = interaction_findings(experiment)
    assert text.startswith("Alpha and temperature interact (p < 0.001): the best value of one depends on the other.")
    assert "No interaction found in 2 other pairs" in text
    assert "validation after epoch 1, which all reached, n = 60 students" in text
    page = markdown.leaderboard_page(experiment)
    assert f"- {text}" in page and "Interactions of knobs: F test" in page and "alpha × temperature: F(4, " in page


def test_a_knob_of_a_search_without_effect_is_named(searched):
    assert knobs_without_effect(with_scores(searched, 0.0)) == [HEAT]
    assert knobs_without_effect(with_scores(searched, 2.0)) == []  # it interacts with alpha


def test_noise_is_called_an_interaction_in_few_searches(searched):
    found = [knob_interactions(with_scores(searched, 0.0, seed))[0].p < 0.05 for seed in range(60)]
    assert sum(found) <= 8  # 5 % of 60 are 3; more than 8 by chance in 1 of 100 runs


def test_the_pair_of_the_table_has_its_own_test(full, tableless):
    assert knob_interactions(load_experiment(full)) == []
    (test,) = knob_interactions(load_experiment(tableless))
    assert test.knobs == (ALPHA, HEAT) and test.freedom == 2 and module.FEWEST_FREEDOM <= test.residual_freedom <= 12


def test_few_students_are_not_tested(confirmed):
    assert interaction_findings(load_experiment(confirmed)) == []
