from __future__ import annotations

import pandas
import pytest
from scipy import stats

from results import experiment as experiments
from results.report.stopping import _rung, rung_epochs, stopping


def of(folder):
    return stopping(experiments.load(folder))


def test_rungs_say_who_came_and_who_was_stopped(mixed):
    found = of(mixed)
    counts = [(rung.epoch, rung.reached, rung.stopped, rung.n) for rung in found.rungs]
    assert counts == [(1, 20, 3, 13), (3, 16, 3, 13)]
    assert found.saved == 3 * 8 + 3 * 6
    assert all(-1 <= rung.correlation <= 1 for rung in found.rungs)
    assert [student.epochs for student in found.stopped] == [1, 1, 1, 3, 3, 3]
    assert found.stopped[0].configuration.startswith("hidden ")


def test_the_correlation_is_that_of_the_ranks(mixed):
    experiment = experiments.load(mixed)
    rows = experiment.epochs.copy()
    order = rows["trial"].rank(method="dense")
    falling = rows.assign(val_accuracy=(1 - order / 100).where(rows["epoch"] == 1, order / 100))
    students = experiment.students.assign(val_accuracy=experiment.students["trial"].rank(method="dense") / 100)
    found = stopping(experiment._replace(epochs=falling, students=students))
    assert [rung.correlation for rung in found.rungs] == [-1.0, 1.0]


def test_it_is_spearman_s_where_accuracies_tie():
    names, here, end = list("abcdef"), [0.3, 0.1, 0.3, 0.4, 0.5, 0.4], [0.1, 0.2, 0.2, 0.5, 0.4, 0.4]
    explored = pandas.DataFrame({"trial": names, "status": "finished", "epochs": 3, "val_accuracy": end})
    found = _rung(1, explored, pandas.DataFrame({1: here}, index=names))
    assert found.correlation == pytest.approx(stats.spearmanr(here, end).statistic, abs=5e-4)


def test_a_rung_with_fewer_than_three_finished_students_has_no_correlation(empty):
    made = empty()
    for index, end in enumerate(["finished", "finished", "stopped"]):
        made.student("explore", {"method.alpha": 0.5, "method.temperature": [1, 4, 16][index]}, 0, end, 4 - index)
    assert [(rung.epoch, rung.correlation, rung.n) for rung in of(made.done()).rungs] == [(2, None, 2)]


def test_asha_judges_at_its_rungs_and_nobody_else_anywhere(mixed, full):
    assert rung_epochs(experiments.load(mixed)) == [1, 3]
    assert rung_epochs(experiments.load(full)) == []


def test_a_student_that_the_search_gave_no_teacher_is_stopped_like_any_other(mixed):
    experiment = experiments.load(mixed)
    alone = experiment.students["trial"].isin(experiment.students["trial"][experiment.students["method"] == "none"])
    assert alone.sum() == 4
    students = experiment.students.assign(stage=experiment.students["stage"].mask(alone, "baseline"))
    found = stopping(experiment._replace(students=students))
    assert len(found.stopped) == 6 and [rung.stopped for rung in found.rungs] == [3, 3]


@pytest.mark.parametrize("name", ["full", "running"])
def test_where_nobody_was_stopped_there_is_nothing_to_say(name, request):
    assert of(request.getfixturevalue(name)) is None
