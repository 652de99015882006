"""Search of the student alone; rows are written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.algorithms.study_parameters import StudyParameters
from search.baseline_search import BaselineSpace
from search.students.spec import student_spec, suggested_histories

METHOD = {"choice": [{"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": 4}, {"name": "none"}]}
TRAIN = {
    "epochs": {"choice": [1, 2]},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "batch_size": {"choice": [32, 64]},
}
WINNER = {
    "student.model.hidden": "[8]",
    "method": "hinton",
    "method.alpha": 0.5,
    "train.epochs": 2,
    "train.lr": 0.01,
    "train.batch_size": 32,
}


@pytest.fixture
def searched(space):
    return space(
        method=METHOD,
        student={"model": {"name": "mlp", "hidden": {"choice": [[4], [8]]}}},
        train=TRAIN,
        search={"algorithm": "random", "trials": 9, "seed": 3},
        baseline={"trials": 4},
    )


def test_only_training_values_are_searched(searched):
    alone = BaselineSpace(searched, WINNER)
    assert [path for path, _ in alone.domains] == ["train.lr", "train.batch_size"]
    assert (alone.search.trials, alone.search.algorithm) == (4, "random") and alone.search.seed != 3
    values = alone.sample_values(lambda path, domain: domain.probe_labels[-1])
    assert values == WINNER | {"train.lr": 0.1, "train.batch_size": 64}
    assert set(StudyParameters(alone).of_values(values)[0]) == {"train.lr", "train.batch_size"}
    student = alone.student(values)
    assert (student.stage, student.study, student.suggested) == ("baseline", "baseline", values)
    assert student.recipe.method.name == "none" and student.recipe.train.epochs == 2
    assert not {path for path in student.values if path.startswith("method")}


def test_proposals_are_kept_apart_by_study_and_network(searched, trained, folder):
    alone = BaselineSpace(searched, WINNER)
    for rate, accuracy, status in ((0.1, 0.5, "finished"), (0.02, 0.8, "finished"), (0.03, 0.9, "stopped")):
        trained(alone.student(WINNER | {"train.lr": rate}), [0.2, accuracy], status)
    other = WINNER | {"student.model.hidden": "[4]"}
    trained(BaselineSpace(searched, other).student(other), [0.99])
    proposed = student_spec(searched, "explore", WINNER | {"train.lr": 0.05}, 0, 0)
    trained(replace(proposed, suggested=WINNER), [0.9])
    weightless = {path: label for path, label in WINNER.items() if path != "method.alpha"} | {"method": "none"}
    found = student_spec(searched, "explore", weightless | {"train.lr": 0.06}, 0, 0)
    trained(replace(found, suggested=weightless | {"train.lr": 0.06}), [0.3, 0.6])

    assert len(suggested_histories(folder)) == 2 and len(suggested_histories(folder, "baseline")) == 4
    assert {past.start["values"]["train.lr"] for past in alone.histories(folder)} == {0.1, 0.02, 0.03, 0.06}
    assert alone.best_values(folder, 2) == [WINNER | {"train.lr": 0.02}, WINNER | {"train.lr": 0.06}]
