"""One student inside a Ray trial, here without Ray: where it goes on, and what its rows say."""

from __future__ import annotations

import pytest

from results import records
from results.students import history
from search import trial as trials
from search.students import student
from search.trial import trial
from trainables import checkpoint
from trainables.fit import State

checkpoint_save = checkpoint.save


class Died(BaseException):
    """What a SIGKILL would be, if it could be caught."""


@pytest.fixture
def alone(space, digits, folder, monkeypatch):
    """Trains the baseline of the tiny space, three epochs; returns its name."""
    monkeypatch.setattr(trials.tune, "report", lambda row: None)
    baseline = student(space(), "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)

    def train() -> str:
        trial({"student": baseline}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
        return baseline.key

    return train


def kinds(folder, name):
    return [row["epoch"] if row["kind"] == "epoch" else row["kind"] for row in records.rows(folder, name)]


def test_rows_of_a_student_from_beginning_to_end(alone, folder):
    name = alone()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
    assert records.rows(folder, name)[-1]["status"] == "finished"
    assert records.weights_file(folder, name).is_file() and not records.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(
    ("dying", "place", "rows"),
    [
        (lambda row: row["epoch"] == 2, "tune.report", ["student", 1, 2, "student", 3, "end"]),
        (lambda path, state: state.epoch == 2, "checkpoint.save", ["student", 1, 2, "student", 2, 3, "end"]),
        (lambda *last: True, "_finish", ["student", 1, 2, 3, "student", 3, "end"]),
    ],
    ids=["after an epoch", "between its row and its checkpoint", "while it is scored"],
)
def test_a_student_that_died_goes_on_from_its_last_epoch_to_the_same_end(
    alone, folder, tmp_path, monkeypatch, dying, place, rows
):
    def die(*arguments):
        if dying(*arguments):
            raise Died
        return checkpoint_save(*arguments) if place == "checkpoint.save" else None

    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr(f"search.trial.{place}", die)
        alone()
    name = alone()
    assert kinds(folder, name) == rows
    broken = history(folder, name)
    records.trial_folder(folder, name).rename(tmp_path / "kept")
    alone()
    whole = history(folder, name)
    assert broken is not None and whole is not None
    scores = ("train_loss", "val_loss", "val_accuracy", "lr")
    assert [[row[key] for key in scores] for row in broken.epochs] == [
        [row[key] for key in scores] for row in whole.epochs
    ]
    measured = {"time": 0, "latency_ms": 0}
    assert {**broken.end, **measured} == {**whole.end, **measured}
    assert (tmp_path / "kept" / "student.safetensors").read_bytes() == records.weights_file(folder, name).read_bytes()


def test_a_damaged_checkpoint_costs_its_own_epochs_and_nothing_else(alone, folder):
    name = alone()
    records.rows_file(folder, name).unlink()
    records.checkpoint_file(folder, name).write_bytes(b"damaged")
    alone()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]


@pytest.mark.parametrize(("epochs", "rows", "start"), [(2, 2, None), (3, 2, 2), (3, 1, None), (3, 0, None)])
def test_a_checkpoint_counts_within_the_budget_and_with_the_rows_of_its_epochs(
    space, trained, folder, epochs, rows, start
):
    recipe = space(train={"epochs": epochs})
    baseline = student(recipe, "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)
    assert trials._start(baseline, folder) is None
    trained(baseline, [0.5] * rows, status=None)
    checkpoint.save(records.checkpoint_file(folder, baseline.key), State(2, 1.5, {}, {}, {}))
    state = trials._start(baseline, folder)
    assert (state and state.epoch) == start


def test_who_failed_goes_on_from_its_last_epoch(alone, folder, monkeypatch):
    with monkeypatch.context() as failing:
        failing.setattr(trials.tune, "report", lambda row: 1 / 0 if row["epoch"] == 2 else None)
        name = alone()
    assert kinds(folder, name) == ["student", 1, 2, "end"] and records.checkpoint_file(folder, name).exists()
    alone()
    assert kinds(folder, name) == ["student", 1, 2, "end", "student", 3, "end"]
    assert not records.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(("message", "said"), [("a\nb", "a"), ("", ""), ("  x [batch] ", "x [batch]")])
def test_a_failure_is_a_row_that_says_in_one_line_what_and_where(alone, folder, monkeypatch, message, said):
    def fail(*_, **__):
        raise ValueError(message)

    monkeypatch.setattr(trials, "fit", fail)
    end = records.rows(folder, alone())[-1]
    assert (end["kind"], end["status"]) == ("end", "failed")
    assert end["reason"].startswith(f"ValueError: {said} (test_trial.py:") and "\n" not in end["reason"]


def test_a_student_that_ended_before_ray_heard_of_it_is_not_trained_again(alone, folder, monkeypatch):
    """Its node died in between: Ray tries it again, and is told of its last epoch."""
    name, told = alone(), []
    before = records.rows(folder, name)
    monkeypatch.setattr(trials.tune, "report", told.append)
    alone()
    assert records.rows(folder, name) == before
    assert [row["epoch"] for row in told] == [3]
