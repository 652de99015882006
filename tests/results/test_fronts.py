"""Fronts: the points that no other one beats in all objectives, by definition and in an experiment's outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.experiment import load_experiment
from results.export.chosen_students import choose_students
from results.fronts import pareto_front, spread_evenly
from results.markdown import leaderboard_page
from results.report.pareto_fronts import pareto_figures
from results.students import histories
from results.trackers.optuna_journal import JournalTracker
from results.verdict import experiment_verdict
from spaces.errors import UserError

NUMBER = st.integers(0, 9)
SPACE = """\
name: sized
data: {name: mnist5k}
teacher: {model: {name: mlp, hidden: [64]}, train: {epochs: 1}}
student: {model: {name: mlp, hidden: {choice: [[4], [8], [16], [32]]}}}
method: {name: hinton, alpha: 0.5, temperature: 4}
train: {epochs: 2}
search: {algorithm: tpe, trials: 8, metrics: [val_accuracy, parameters]}
"""
# hidden, parameters, validation accuracy: [16] is beaten by [8], which is smaller and better
SIZES = [("[4]", 100, 0.90), ("[8]", 200, 0.95), ("[16]", 400, 0.94), ("[32]", 800, 0.97)]


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=25))
def test_front_points_are_not_dominated(points):
    """Accuracy is maximized, parameters and latency are minimized."""

    def beats(first, second):
        better = (first[0] - second[0], second[1] - first[1], second[2] - first[2])
        return min(better) >= 0 and max(better) > 0

    expected = [not any(beats(other, point) for other in points) for point in points]
    assert pareto_front(points, ["val_accuracy", "parameters", "latency_ms"]) == expected


def test_a_missing_number_is_not_on_the_front():
    assert pareto_front([(0.9, numpy.nan), (0.8, 5)], ["val_accuracy", "parameters"]) == [False, True]


@pytest.mark.parametrize(("count", "chosen"), [(None, "abcde"), (9, "abcde"), (3, "ace"), (2, "ae"), (1, "a")])
def test_members_are_spread_over_the_front_with_its_ends(count, chosen):
    assert spread_evenly("abcde", count) == [*chosen]


@pytest.fixture
def sized(tmp_path) -> Path:
    """Four finished students of different sizes, and a stopped one that would be on the front."""
    folder = tmp_path / "sized"
    (folder / "trials").mkdir(parents=True)
    (folder / "space.yaml").write_text(SPACE)
    for number, (hidden, parameters, accuracy) in enumerate([*SIZES, ("[4]", 50, 0.99)]):
        stopped = number == len(SIZES)
        start = {"kind": "student", "trial": f"t{number}", "stage": "explore", "seed": 0, "teacher": None, "time": 1.0}
        start |= {"values": {"student.model.hidden": hidden}, "parameters": parameters, "macs": 0, "planned_epochs": 1}
        scores = {"val_accuracy": accuracy, "val_loss": 1 - accuracy, "train_loss": 1.0, "lr": 0.1, "seconds": 1.0}
        end = {"kind": "end", "status": "stopped" if stopped else "finished", "test_accuracy": accuracy - 0.01}
        rows = [start | {"seed": stopped}, {"kind": "epoch", "epoch": 1, "time": 2.0, **scores}, end | {"time": 3.0}]
        path = folder / "trials" / f"t{number}" / "epochs.jsonl"
        path.parent.mkdir()
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_leaderboard_lists_and_marks_the_front_first(sized):
    lines = load_experiment(sized).leaderboard()
    assert list(lines["parameters"]) == [800, 200, 100, 400]
    assert list(lines["front"]) == [True, True, True, False] and list(lines["rank"]) == [1, 2, 4, 3]
    page = leaderboard_page(load_experiment(sized))
    assert (
        page.count("| ◆ |") == 3 and "- ◆: no ranked configuration beats it in all of val_accuracy, parameters." in page
    )


def test_the_verdict_names_size_and_ends_of_the_front(sized):
    sentence = experiment_verdict(load_experiment(sized)).sentence
    front = (
        "Front of val_accuracy, parameters: 3 of 4 configurations, from test 89.00 % (parameters 100) to test 96.00 %"
    )
    assert sentence.startswith(f"{front} (parameters 800). ")


def test_the_report_draws_the_front_of_the_leaderboard(sized):
    experiment = load_experiment(sized)
    figure = pareto_figures(experiment.leaderboard(), ["student.model.hidden"], experiment.objectives)[0]
    assert [(point.cost, point.front) for point in figure.points] == [(800, 1), (200, 1), (100, 1), (400, 0)]
    assert "3 on the Pareto front: no other ranked student" in figure.caption


def test_the_whole_front_is_chosen_for_export(sized, full):
    chosen = choose_students(load_experiment(sized), "front")
    assert [student.trial for student in chosen] == ["t3", "t1", "t0"]
    assert chosen[1].title == "member 2 of 3 of the front of val_accuracy, parameters"
    with pytest.raises(UserError, match="searched for val_accuracy alone; a front needs"):
        choose_students(load_experiment(full), "front")


def test_the_journal_has_both_objectives(sized):
    JournalTracker(sized, load_experiment(sized).space).update_all(histories(sized))
    trials = JournalTracker(sized, load_experiment(sized).space)._stored_trials()
    assert sorted(trial.values for trial in trials if trial.values) == [
        [acc, size] for _, size, acc in sorted(SIZES, key=lambda s: s[2])
    ]


def test_an_unfinished_search_has_an_empty_front(sized):
    for number in range(len(SIZES)):
        (sized / "trials" / f"t{number}" / "epochs.jsonl").unlink()
    lines = load_experiment(sized).leaderboard()
    assert isinstance(lines, pandas.DataFrame) and not lines["front"].any()
