from __future__ import annotations

import pytest

from results.experiment import load_experiment
from results.report.knob_importance import knob_importance
from results.variance_shares import INTERACTIONS, NOISE


def of(folder):
    return knob_importance(load_experiment(folder))


def test_the_knob_that_sets_the_accuracy_is_most_important(full):
    data = of(full)
    assert [share.knob for share in data.shares] == ["temperature", "alpha", INTERACTIONS, NOISE] and data.n == 18
    assert all(0 <= share.low <= share.mean <= share.high <= 100 for share in data.shares)
    assert sum(share.mean for share in data.shares) == pytest.approx(100, abs=1)
    assert data.shares[0].low > data.shares[1].high and "n = 18" in data.caption


def test_a_knob_without_an_effect_has_no_share(build):
    """The analysis of variance on the same page finds none either."""
    data = of(build(noise=0.5, seeds=(0, 1, 2, 3)).done())
    assert data.shares[-1].knob == NOISE and data.shares[-1].mean > 60
    assert all(share.mean < 25 for share in data.shares[:-1])


def test_importance_is_deterministic(full):
    assert of(full) == of(full)


def test_only_knobs_of_all_finished_students(mixed):
    data = of(mixed)
    assert data.n == 13 and {share.knob for share in data.shares} == {"hidden", "method", "batch_size", NOISE}
    assert "not every student has them: method.alpha, method.temperature" in data.caption


@pytest.mark.parametrize("name", ["single", "confirmed"])
def test_none_with_too_few_students(name, request):
    assert of(request.getfixturevalue(name)) is None


def test_none_if_all_students_are_equal(full):
    experiment = load_experiment(full)
    same = experiment.students.assign(val_accuracy=0.5)
    assert knob_importance(experiment._replace(students=same)) is None


def test_resamples_without_differences_are_left_out(full):
    experiment = load_experiment(full)
    scores = (experiment.students["trial"] == "explore-0003") * 0.1 + 0.5
    data = knob_importance(experiment._replace(students=experiment.students.assign(val_accuracy=scores)))
    assert data is not None and data.n == 18 and all(0 <= share.mean <= 100 for share in data.shares)
