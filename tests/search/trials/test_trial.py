"""One student inside a Ray trial, here without Ray: where it goes on, and what its rows say."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from results import records
from results.students import history
from search.students.spec import Pack, status, student
from search.trials import trial as trials
from search.trials.trial import trial
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
        trial({"pack": Pack((baseline,))}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
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
        (lambda told: told["rows"][0]["epoch"] == 2, "tune.report", ["student", 1, 2, "student", 3, "end"]),
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
        failing.setattr(trials.tune, "report", lambda told: 1 / 0 if told["rows"][0]["epoch"] == 2 else None)
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


@pytest.fixture
def pack(space, digits, folder, monkeypatch):
    """Trains four students that are alike; returns their names and what was reported of each."""
    told: list[str] = []

    def report(result):
        told.extend(row["trial"] for row in result["rows"])

    monkeypatch.setattr(trials.tune, "report", report)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student(space(seeds=[0, 1, 2, 3]), "baseline", values, seed, 0) for seed in range(4))

    def train():
        told.clear()
        trial({"pack": Pack(students)}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
        return [each.key for each in students], list(told)

    return train


def test_each_of_a_pack_has_the_rows_of_one_alone(alone, pack, folder):
    names, told = pack()
    assert sorted(told) == sorted(names * 3)
    for name in names:
        assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
        assert records.weights_file(folder, name).is_file() and not records.checkpoint_file(folder, name).exists()
    together = history(folder, names[0])
    records.rows_file(folder, names[0]).unlink()
    assert alone() == names[0]
    by_itself = history(folder, names[0])
    assert together is not None and by_itself is not None
    for row, other in zip(together.epochs, by_itself.epochs, strict=True):
        assert row.keys() == other.keys()
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-4)


def test_those_that_take_turns_are_what_each_is_alone_to_the_bit(alone, space, digits, folder, monkeypatch):
    told = []
    monkeypatch.setattr(
        trials.tune, "report", lambda result: told.extend((row["trial"], row["epoch"]) for row in result["rows"])
    )
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (1, 0))
    trial({"pack": Pack(students, as_one=False)}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
    assert told == [(each.key, epoch) for each in students for epoch in (1, 2, 3)]
    first, second = (history(folder, each.key) for each in students)
    assert first is not None and second is not None and second.start["time"] > first.end["time"]
    records.rows_file(folder, students[1].key).unlink()
    monkeypatch.setattr(trials.tune, "report", lambda row: None)
    assert alone() == students[1].key  # which had somebody before it
    by_itself = history(folder, students[1].key)
    assert by_itself is not None
    assert [row["val_loss"] for row in second.epochs] == [row["val_loss"] for row in by_itself.epochs]
    assert second.end["test_loss"] == by_itself.end["test_loss"]


@pytest.mark.parametrize(("as_one", "opens_second"), [(True, 2), (False, 3)])  # in turn, the first ends before
def test_who_cannot_be_built_fails_and_the_others_go_on(as_one, opens_second, space, digits, folder, monkeypatch):
    calls, real = itertools.count(1), trials.build

    def build(*arguments):
        if next(calls) == opens_second:
            raise MemoryError("made up")
        return real(*arguments)

    monkeypatch.setattr(trials, "build", build)
    monkeypatch.setattr(trials.tune, "report", lambda row: None)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (0, 1))
    trial({"pack": Pack(students, as_one)}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
    first, second = (records.rows(folder, each.key)[-1] for each in students)
    assert first["status"] == "finished"
    assert second["status"] == "failed" and "made up" in second["reason"]


def test_a_pack_that_died_goes_on_with_whoever_is_not_done(pack, folder, monkeypatch):
    saved: list[int] = []

    def die(path, state):
        saved.append(state.epoch)
        if len(saved) == 7:  # the third student's second epoch
            raise Died
        checkpoint_save(path, state)

    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr("search.trials.trial.checkpoint.save", die)
        pack()
    names, _ = pack()
    assert [kinds(folder, name) for name in names] == [
        ["student", 1, 2, "student", 3, "end"],
        ["student", 1, 2, "student", 3, "end"],
        ["student", 1, 2, "student", 2, 3, "end"],
        ["student", 1, "student", 2, 3, "end"],
    ]
    assert pack() == (names, names)  # all are done, which is told once more


@pytest.mark.parametrize(
    ("error", "sizes"), [(torch.OutOfMemoryError("CUDA out of memory"), [4, 2, 2]), (ValueError("no rule"), [4])]
)
def test_a_pack_that_fails_is_halved_for_want_of_memory_and_else_trained_alone(pack, folder, monkeypatch, error, sizes):
    tried: list[int] = []
    real = trials.packed.fit

    def limited(recipes, lesson, **more):
        tried.append(len(recipes))
        if len(recipes) > 2 or isinstance(error, ValueError):
            raise error
        return real(recipes, lesson, **more)

    monkeypatch.setattr(trials.packed, "fit", limited)
    names, told = pack()
    assert tried == sizes
    assert [kinds(folder, name) for name in names] == [["student", 1, 2, 3, "end"]] * 4
    assert sorted(told) == sorted(names * 3)


@pytest.mark.parametrize(
    ("proposed", "together"), [(True, True), (True, False), (False, True)], ids=["as one", "each alone", "of a grid"]
)
def test_a_proposal_that_the_driver_ends_leaves_its_pack_and_stays_out_of_it(
    proposed, together, space, digits, folder, monkeypatch
):
    """Nobody ends a student of a grid early: what looks so was interrupted, and trains on."""
    if not together:
        monkeypatch.setattr(trials.packed, "fit", lambda *_, **__: 1 / 0)
    values = {"method.alpha": 0, "method.temperature": 1}
    found = [student(space(seeds=[0, 1, 2]), "baseline", values, seed, 0) for seed in (0, 1, 2)]
    students = tuple(replace(each, suggested=values if proposed else None) for each in found)

    def report(result):
        for row in result["rows"]:
            key = row["trial"]
            if row["epoch"] == 1 and key == students[1].key and status(history(folder, key)) is None:
                records.append(folder, key, {"kind": "end", "status": "stopped"})

    monkeypatch.setattr(trials.tune, "report", report)
    for _ in range(2):  # and when its worker has died
        trial({"pack": Pack(students)}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
        seen = [kinds(folder, each.key) for each in students]
        assert seen[0] == seen[2] == ["student", 1, 2, 3, "end"]
        assert seen[1] == (["student", 1, "end"] if proposed else ["student", 1, "end", 2, 3, "end"])


def test_a_pack_that_falls_apart_says_why(pack, monkeypatch):
    said: list[str] = []
    real = trials.packed.fit

    def limited(recipes, lesson, **more):
        if len(recipes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if len(recipes) > 1:
            raise ValueError("no rule")
        return real(recipes, lesson, **more)

    monkeypatch.setattr(trials.packed, "fit", limited)
    monkeypatch.setattr(trials.tune, "report", lambda result: said.append(result.get("said")))
    pack()
    reasons = [reason for reason in said if reason]
    assert reasons[0] == "memory does not suffice for all; now in halves"
    assert [reason.split("; ")[1] for reason in reasons[1:]] == ["now each is trained alone"] * 2
    assert all(reason.startswith("ValueError: no rule (test_trial.py:") for reason in reasons[1:])


def test_who_diverges_in_a_pack_is_the_only_one(pack, space, digits, folder, monkeypatch):
    values = {"method.alpha": 0, "method.temperature": 1}
    wanted = space(train={"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": {"choice": [0.01, 1e12]}})
    mixed = [student(wanted, "baseline", values | {"train.lr": rate}, 0, 0) for rate in ("0.01", "1e12")]
    trial({"pack": Pack(tuple(mixed))}, data=digits, lessons={}, plugins={}, folder=folder, threads=1)
    ends = [records.rows(folder, each.key)[-1] for each in mixed]
    assert [end["status"] for end in ends] == ["finished", "diverged"]
    assert "in epoch 1" in ends[1]["reason"]


def test_a_student_that_ended_before_ray_heard_of_it_is_not_trained_again(alone, folder, monkeypatch):
    """Its node died in between: Ray tries it again, and is told of its last epoch."""
    name, told = alone(), []
    before, left = records.rows(folder, name), records.checkpoint_file(folder, name)
    left.touch()  # as where it died before it could remove it
    monkeypatch.setattr(trials.tune, "report", told.append)
    alone()
    assert records.rows(folder, name) == before and not left.exists()
    assert [[row["epoch"] for row in result["rows"]] for result in told] == [[3]]
