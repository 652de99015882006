from __future__ import annotations

import pytest

from results import experiment as experiments
from results.report.importance import importance


def of(folder):
    return importance(experiments.load(folder))


def test_what_makes_the_accuracy_is_most_important(full):
    found = of(full)
    assert [share.knob for share in found.shares] == ["temperature", "alpha"] and found.n == 18
    assert all(0 <= share.low <= share.mean <= share.high <= 100 for share in found.shares)
    assert sum(share.mean for share in found.shares) == pytest.approx(100, abs=0.1)
    assert found.shares[0].low > found.shares[1].high and "n = 18" in found.caption


def test_it_is_the_same_each_time(full):
    assert of(full) == of(full)


def test_only_knobs_that_all_finished_students_have(mixed):
    found = of(mixed)
    assert found.n == 13 and {share.knob for share in found.shares} == {"hidden", "method", "batch_size"}
    assert "not every student has them: method.alpha, method.temperature" in found.caption


@pytest.mark.parametrize("name", ["single", "confirmed"])
def test_too_few_students_say_nothing(name, request):
    assert of(request.getfixturevalue(name)) is None


def test_equal_students_say_nothing(full):
    experiment = experiments.load(full)
    same = experiment.students.assign(val_accuracy=0.5)
    assert importance(experiment._replace(students=same)) is None


def test_resamples_without_a_difference_are_left_out(full):
    experiment = experiments.load(full)
    one = (experiment.students["trial"] == "explore-0003") * 0.1 + 0.5
    found = importance(experiment._replace(students=experiment.students.assign(val_accuracy=one)))
    assert found is not None and found.n == 18 and all(0 <= share.mean <= 100 for share in found.shares)
