"""One student inside a Ray trial, here without Ray: where it goes on, and what its rows say."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from results import paths, records
from results.students import history
from search.students.spec import Pack, student_spec, student_status
from search.trials import student_rows, trainable
from search.trials.trainable import train_trial
from trainables import checkpoint
from trainables.fit import TrainingState

checkpoint_save = checkpoint.save_checkpoint


class Died(BaseException):
    """What a SIGKILL would be, if it could be caught."""


@pytest.fixture
def alone(space, digits, folder, monkeypatch):
    """Trains the baseline of the tiny space, three epochs; returns its name."""
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    baseline = student_spec(space(), "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)

    def train() -> str:
        train_trial({"pack": Pack((baseline,))}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1)
        return baseline.key

    return train


def kinds(folder, name):
    return [row["epoch"] if row["kind"] == "epoch" else row["kind"] for row in records.read_rows(folder, name)]


def test_rows_of_a_student_from_beginning_to_end(alone, folder):
    name = alone()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
    assert records.read_rows(folder, name)[-1]["status"] == "finished"
    assert paths.weights_file(folder, name).is_file() and not paths.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(
    ("dying", "place", "rows"),
    [
        (lambda told: told["rows"][0]["epoch"] == 2, "trainable.tune.report", ["student", 1, 2, "student", 3, "end"]),
        (
            lambda path, state: state.epoch == 2,
            "student_rows.checkpoint.save_checkpoint",
            ["student", 1, 2, "student", 2, 3, "end"],
        ),
        (lambda *last: True, "student_rows.write_finished", ["student", 1, 2, 3, "student", 3, "end"]),
    ],
    ids=["after an epoch", "between its row and its checkpoint", "while it is scored"],
)
def test_a_student_that_died_goes_on_from_its_last_epoch_to_the_same_end(
    alone, folder, tmp_path, monkeypatch, dying, place, rows
):
    def die(*arguments):
        if dying(*arguments):
            raise Died
        return checkpoint_save(*arguments) if place.endswith("save_checkpoint") else None

    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr(f"search.trials.{place}", die)
        alone()
    name = alone()
    assert kinds(folder, name) == rows
    broken = history(folder, name)
    paths.trial_folder(folder, name).rename(tmp_path / "kept")
    alone()
    whole = history(folder, name)
    assert broken is not None and whole is not None
    scores = ("train_loss", "val_loss", "val_accuracy", "lr")
    assert [[row[key] for key in scores] for row in broken.epochs] == [
        [row[key] for key in scores] for row in whole.epochs
    ]
    measured = {"time": 0, "latency_ms": 0}
    assert {**broken.end, **measured} == {**whole.end, **measured}
    assert (tmp_path / "kept" / "student.safetensors").read_bytes() == paths.weights_file(folder, name).read_bytes()


def test_a_damaged_checkpoint_costs_its_own_epochs_and_nothing_else(alone, folder):
    name = alone()
    paths.rows_file(folder, name).unlink()
    paths.checkpoint_file(folder, name).write_bytes(b"damaged")
    alone()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]


@pytest.mark.parametrize(("epochs", "rows", "start"), [(2, 2, None), (3, 2, 2), (3, 1, None), (3, 0, None)])
def test_a_checkpoint_counts_within_the_budget_and_with_the_rows_of_its_epochs(
    space, trained, folder, epochs, rows, start
):
    recipe = space(train={"epochs": epochs})
    baseline = student_spec(recipe, "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)
    assert student_rows.resume_state(baseline, folder) is None
    trained(baseline, [0.5] * rows, status=None)
    checkpoint.save_checkpoint(paths.checkpoint_file(folder, baseline.key), TrainingState(2, 1.5, {}, {}, {}))
    state = student_rows.resume_state(baseline, folder)
    assert (state and state.epoch) == start


def test_who_failed_goes_on_from_its_last_epoch(alone, folder, monkeypatch):
    with monkeypatch.context() as failing:
        failing.setattr(trainable.tune, "report", lambda told: 1 / 0 if told["rows"][0]["epoch"] == 2 else None)
        name = alone()
    assert kinds(folder, name) == ["student", 1, 2, "end"] and paths.checkpoint_file(folder, name).exists()
    alone()
    assert kinds(folder, name) == ["student", 1, 2, "end", "student", 3, "end"]
    assert not paths.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(("message", "said"), [("a\nb", "a"), ("", ""), ("  x [batch] ", "x [batch]")])
def test_a_failure_is_a_row_that_says_in_one_line_what_and_where(alone, folder, monkeypatch, message, said):
    def fail(*_, **__):
        raise ValueError(message)

    monkeypatch.setattr(trainable, "fit", fail)
    end = records.read_rows(folder, alone())[-1]
    assert (end["kind"], end["status"]) == ("end", "failed")
    assert end["reason"].startswith(f"ValueError: {said} (test_trainable.py:") and "\n" not in end["reason"]


@pytest.fixture
def pack(space, digits, folder, monkeypatch):
    """Trains four students that are alike; returns their names and what was reported of each."""
    told: list[str] = []

    def report(result):
        told.extend(row["trial"] for row in result["rows"])

    monkeypatch.setattr(trainable.tune, "report", report)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1, 2, 3]), "baseline", values, seed, 0) for seed in range(4))

    def train():
        told.clear()
        train_trial({"pack": Pack(students)}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1)
        return [each.key for each in students], list(told)

    return train


def test_each_of_a_pack_has_the_rows_of_one_alone(alone, pack, folder):
    names, told = pack()
    assert sorted(told) == sorted(names * 3)
    for name in names:
        assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
        assert paths.weights_file(folder, name).is_file() and not paths.checkpoint_file(folder, name).exists()
    together = history(folder, names[0])
    paths.rows_file(folder, names[0]).unlink()
    assert alone() == names[0]
    by_itself = history(folder, names[0])
    assert together is not None and by_itself is not None
    for row, other in zip(together.epochs, by_itself.epochs, strict=True):
        assert row.keys() == other.keys()
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-4)


def test_those_that_take_turns_are_what_each_is_alone_to_the_bit(alone, space, digits, folder, monkeypatch):
    told = []
    monkeypatch.setattr(
        trainable.tune, "report", lambda result: told.extend((row["trial"], row["epoch"]) for row in result["rows"])
    )
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (1, 0))
    train_trial(
        {"pack": Pack(students, stacked=False)}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1
    )
    assert told == [(each.key, epoch) for each in students for epoch in (1, 2, 3)]
    first, second = (history(folder, each.key) for each in students)
    assert first is not None and second is not None and second.start["time"] > first.end["time"]
    paths.rows_file(folder, students[1].key).unlink()
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    assert alone() == students[1].key  # which had somebody before it
    by_itself = history(folder, students[1].key)
    assert by_itself is not None
    assert [row["val_loss"] for row in second.epochs] == [row["val_loss"] for row in by_itself.epochs]
    assert second.end["test_loss"] == by_itself.end["test_loss"]


@pytest.mark.parametrize(("as_one", "opens_second"), [(True, 2), (False, 3)])  # in turn, the first ends before
def test_who_cannot_be_built_fails_and_the_others_go_on(as_one, opens_second, space, digits, folder, monkeypatch):
    calls, real = itertools.count(1), student_rows.build_network

    def build(*arguments):
        if next(calls) == opens_second:
            raise MemoryError("made up")
        return real(*arguments)

    monkeypatch.setattr(student_rows, "build_network", build)
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (0, 1))
    train_trial({"pack": Pack(students, as_one)}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1)
    first, second = (records.read_rows(folder, each.key)[-1] for each in students)
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
        killed.setattr("search.trials.student_rows.checkpoint.save_checkpoint", die)
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
    real = trainable.fit_pack

    def limited(recipes, lesson, **more):
        tried.append(len(recipes))
        if len(recipes) > 2 or isinstance(error, ValueError):
            raise error
        return real(recipes, lesson, **more)

    monkeypatch.setattr(trainable, "fit_pack", limited)
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
        monkeypatch.setattr(trainable, "fit_pack", lambda *_, **__: 1 / 0)
    values = {"method.alpha": 0, "method.temperature": 1}
    found = [student_spec(space(seeds=[0, 1, 2]), "baseline", values, seed, 0) for seed in (0, 1, 2)]
    students = tuple(replace(each, suggested=values if proposed else None) for each in found)

    def report(result):
        for row in result["rows"]:
            key = row["trial"]
            if row["epoch"] == 1 and key == students[1].key and student_status(history(folder, key)) is None:
                records.append_row(folder, key, {"kind": "end", "status": "stopped"})

    monkeypatch.setattr(trainable.tune, "report", report)
    for _ in range(2):  # and when its worker has died
        train_trial({"pack": Pack(students)}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1)
        seen = [kinds(folder, each.key) for each in students]
        assert seen[0] == seen[2] == ["student", 1, 2, 3, "end"]
        assert seen[1] == (["student", 1, "end"] if proposed else ["student", 1, "end", 2, 3, "end"])


def test_a_pack_that_falls_apart_says_why(pack, monkeypatch):
    said: list[str] = []
    real = trainable.fit_pack

    def limited(recipes, lesson, **more):
        if len(recipes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if len(recipes) > 1:
            raise ValueError("no rule")
        return real(recipes, lesson, **more)

    monkeypatch.setattr(trainable, "fit_pack", limited)
    monkeypatch.setattr(trainable.tune, "report", lambda result: said.append(result.get("message")))
    pack()
    reasons = [reason for reason in said if reason]
    assert reasons[0] == "memory does not suffice for all; now in halves"
    assert [reason.split("; ")[1] for reason in reasons[1:]] == ["now each is trained alone"] * 2
    assert all(reason.startswith("ValueError: no rule (test_trainable.py:") for reason in reasons[1:])


def test_who_diverges_in_a_pack_is_the_only_one(pack, space, digits, folder, monkeypatch):
    values = {"method.alpha": 0, "method.temperature": 1}
    wanted = space(train={"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": {"choice": [0.01, 1e12]}})
    mixed = [student_spec(wanted, "baseline", values | {"train.lr": rate}, 0, 0) for rate in ("0.01", "1e12")]
    train_trial({"pack": Pack(tuple(mixed))}, data=digits, teacher_outputs={}, plugins={}, folder=folder, threads=1)
    ends = [records.read_rows(folder, each.key)[-1] for each in mixed]
    assert [end["status"] for end in ends] == ["finished", "diverged"]
    assert "in epoch 1" in ends[1]["reason"]


def test_a_student_that_ended_before_ray_heard_of_it_is_not_trained_again(alone, folder, monkeypatch):
    """Its node died in between: Ray tries it again, and is told of its last epoch."""
    name, told = alone(), []
    before, left = records.read_rows(folder, name), paths.checkpoint_file(folder, name)
    left.touch()  # as where it died before it could remove it
    monkeypatch.setattr(trainable.tune, "report", told.append)
    alone()
    assert records.read_rows(folder, name) == before and not left.exists()
    assert [[row["epoch"] for row in result["rows"]] for result in told] == [[3]]
