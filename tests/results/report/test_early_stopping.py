from __future__ import annotations

import pandas
import pytest
from scipy import stats

from results.experiment import load_experiment
from results.report.early_stopping import _rung, asha_rungs, early_stopping


def of(folder):
    return early_stopping(load_experiment(folder))


def test_rungs_count_reached_and_stopped_students(mixed):
    data = of(mixed)
    counts = [(rung.epoch, rung.reached, rung.stopped, rung.n) for rung in data.rungs]
    assert counts == [(1, 20, 3, 13), (3, 16, 3, 13)]
    assert data.saved == 3 * 8 + 3 * 6
    assert all(-1 <= rung.correlation <= 1 for rung in data.rungs)
    assert [student.epochs for student in data.stopped] == [1, 1, 1, 3, 3, 3]
    assert data.stopped[0].configuration.startswith("hidden ")


def test_the_correlation_is_that_of_the_ranks(mixed):
    experiment = load_experiment(mixed)
    rows = experiment.epochs.copy()
    order = rows["trial"].rank(method="dense")
    falling = rows.assign(val_accuracy=(1 - order / 100).where(rows["epoch"] == 1, order / 100))
    students = experiment.students.assign(val_accuracy=experiment.students["trial"].rank(method="dense") / 100)
    data = early_stopping(experiment._replace(epochs=falling, students=students))
    assert [rung.correlation for rung in data.rungs] == [-1.0, 1.0]


def test_the_correlation_is_spearman_s_with_ties():
    names, here, end = list("abcdef"), [0.3, 0.1, 0.3, 0.4, 0.5, 0.4], [0.1, 0.2, 0.2, 0.5, 0.4, 0.4]
    explored = pandas.DataFrame({"trial": names, "status": "finished", "epochs": 3, "val_accuracy": end})
    data = _rung(1, explored, pandas.DataFrame({1: here}, index=names))
    assert data.correlation == pytest.approx(stats.spearmanr(here, end).statistic, abs=5e-4)


def test_a_rung_with_fewer_than_three_finished_students_has_no_correlation(empty):
    builder = empty()
    for index, end in enumerate(["finished", "finished", "stopped"]):
        builder.student("explore", {"method.alpha": 0.5, "method.temperature": [1, 4, 16][index]}, 0, end, 4 - index)
    assert [(rung.epoch, rung.correlation, rung.n) for rung in of(builder.done()).rungs] == [(2, None, 2)]


def test_only_asha_has_rungs(mixed, full):
    assert asha_rungs(load_experiment(mixed)) == [1, 3]
    assert asha_rungs(load_experiment(full)) == []


def test_stopped_baselines_of_a_searched_method_are_counted(mixed):
    experiment = load_experiment(mixed)
    baselines = experiment.students["method"] == "none"
    assert baselines.sum() == 4
    students = experiment.students.assign(stage=experiment.students["stage"].mask(baselines, "baseline"))
    data = early_stopping(experiment._replace(students=students))
    assert len(data.stopped) == 6 and [rung.stopped for rung in data.rungs] == [3, 3]


@pytest.mark.parametrize("name", ["full", "running"])
def test_none_if_no_student_was_stopped(name, request):
    assert of(request.getfixturevalue(name)) is None
