"""The trainable without Ray: rows, checkpoints, retries and packs."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
import torch

from results import paths, records
from results.students import history
from search.cluster.worker_setup import local_setup
from search.students.spec import Pack, student_spec, student_status
from search.students.store import FolderStore
from search.trials import student_rows, trainable
from search.trials.trainable import train_trial
from spaces import disk
from trainables import checkpoint
from trainables.fit import TrainingState
from trainables.weights import tensor_file

write_atomically = disk.write_atomically


NO_SETUP = local_setup({})
WRITE = "students.store.disk.write_atomically"


def checkpoint_epoch(path, content) -> int | None:
    """Return the epoch of a checkpoint's content, None for other files."""
    state = checkpoint.resume_checkpoint(content, path) if path.name == "checkpoint.safetensors" else None
    return state.epoch if state else None


class Died(BaseException):
    """Stand-in for a SIGKILL."""


def train(pack: Pack, digits, folder) -> None:
    """Train a pack without a teacher."""
    store = FolderStore(folder)
    train_trial({"pack": pack}, data=digits, teacher_outputs={}, setup=NO_SETUP, store=store, threads=1)


@pytest.fixture
def train_single(space, digits, folder, monkeypatch):
    """Return a function that trains the baseline for three epochs and returns its key."""
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    baseline = student_spec(space(), "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)

    def train_baseline() -> str:
        train(Pack((baseline,)), digits, folder)
        return baseline.key

    return train_baseline


def kinds(folder, name):
    return [row["epoch"] if row["kind"] == "epoch" else row["kind"] for row in records.read_rows(folder, name)]


def test_rows_of_a_student(train_single, folder):
    name = train_single()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
    assert records.read_rows(folder, name)[-1]["status"] == "finished"
    _, metadata = tensor_file.read_tensors(paths.weights_file(folder, name))
    assert json.loads(metadata["classes"]) == [*"0123456789"]  # for an export, whatever the data is called by then
    assert not paths.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(
    ("dies", "target", "rows"),
    [
        (
            lambda reported: reported["rows"][0]["epoch"] == 2,
            "trials.trainable.tune.report",
            ["student", 1, 2, "student", 3, "end"],
        ),
        (
            lambda path, content: checkpoint_epoch(path, content) == 2,
            WRITE,
            ["student", 1, 2, "student", 2, 3, "end"],
        ),
        (lambda path, content: path.name == "student.safetensors", WRITE, ["student", 1, 2, "student", 3, "end"]),
        (lambda *last: True, "trials.student_rows._score_test_set", ["student", 1, 2, "student", 3, "end"]),
    ],
    ids=["after an epoch", "between its row and its checkpoint", "before its weights", "while it is scored"],
)
def test_a_student_resumes_after_its_worker_died_with_the_same_result(
    train_single, folder, tmp_path, monkeypatch, dies, target, rows
):
    def die(*arguments):
        if dies(*arguments):
            raise Died
        return write_atomically(*arguments) if target == WRITE else None

    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr(f"search.{target}", die)
        train_single()
    name = train_single()
    assert kinds(folder, name) == rows
    interrupted = history(folder, name)
    paths.trial_folder(folder, name).rename(tmp_path / "kept")
    train_single()
    unbroken = history(folder, name)
    assert interrupted is not None and unbroken is not None
    scores = ("train_loss", "val_loss", "val_accuracy", "lr")
    assert [[row[key] for key in scores] for row in interrupted.epochs] == [
        [row[key] for key in scores] for row in unbroken.epochs
    ]
    measured = {"time": 0, "latency_ms": 0}
    assert {**interrupted.end, **measured} == {**unbroken.end, **measured}
    assert (tmp_path / "kept" / "student.safetensors").read_bytes() == paths.weights_file(folder, name).read_bytes()


def test_a_damaged_checkpoint_costs_only_its_epochs(train_single, folder):
    name = train_single()
    paths.rows_file(folder, name).unlink()
    paths.checkpoint_file(folder, name).write_bytes(b"damaged")
    train_single()
    assert kinds(folder, name) == ["student", 1, 2, 3, "end"]


@pytest.mark.parametrize(("epochs", "rows", "start"), [(2, 2, None), (3, 2, 2), (3, 1, None), (3, 0, None)])
def test_a_checkpoint_needs_rows_and_epochs_left(space, trained, folder, epochs, rows, start):
    recipe = space(train={"epochs": epochs})
    baseline = student_spec(recipe, "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0)
    store = FolderStore(folder)
    assert student_rows.resume_states([baseline], store) == [None]
    trained(baseline, [0.5] * rows, status=None)
    checkpoint.save_checkpoint(paths.checkpoint_file(folder, baseline.key), TrainingState(2, 1.5, {}, {}, {}))
    [state] = student_rows.resume_states([baseline], store)
    assert (state and state.epoch) == start


def test_a_failed_student_resumes_from_its_last_epoch(train_single, folder, monkeypatch):
    with monkeypatch.context() as failing:
        failing.setattr(trainable.tune, "report", lambda reported: 1 / 0 if reported["rows"][0]["epoch"] == 2 else None)
        name = train_single()
    assert kinds(folder, name) == ["student", 1, 2, "end"] and paths.checkpoint_file(folder, name).exists()
    train_single()
    assert kinds(folder, name) == ["student", 1, 2, "end", "student", 3, "end"]
    assert not paths.checkpoint_file(folder, name).exists()


@pytest.mark.parametrize(("message", "text"), [("a\nb", "a"), ("", ""), ("  x [batch] ", "x [batch]")])
def test_an_error_becomes_one_line_in_the_final_row(train_single, folder, monkeypatch, message, text):
    def fail(*_, **__):
        raise ValueError(message)

    monkeypatch.setattr(trainable, "fit", fail)
    end = records.read_rows(folder, train_single())[-1]
    assert (end["kind"], end["status"]) == ("end", "failed")
    assert end["reason"].startswith(f"ValueError: {text} (test_trainable.py:") and "\n" not in end["reason"]


@pytest.fixture
def train_pack(space, digits, folder, monkeypatch):
    """Return a function that trains a pack of four and returns their keys and the reported keys."""
    reported: list[str] = []

    def report(result):
        reported.extend(row["trial"] for row in result["rows"])

    monkeypatch.setattr(trainable.tune, "report", report)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1, 2, 3]), "baseline", values, seed, 0) for seed in range(4))

    def train_all():
        reported.clear()
        train(Pack(students), digits, folder)
        return [student.key for student in students], list(reported)

    return train_all


def test_students_of_a_pack_have_the_rows_of_single_ones(train_single, train_pack, folder):
    names, reported = train_pack()
    assert sorted(reported) == sorted(names * 3)
    for name in names:
        assert kinds(folder, name) == ["student", 1, 2, 3, "end"]
        assert paths.weights_file(folder, name).is_file() and not paths.checkpoint_file(folder, name).exists()
    together = history(folder, names[0])
    paths.rows_file(folder, names[0]).unlink()
    assert train_single() == names[0]
    by_itself = history(folder, names[0])
    assert together is not None and by_itself is not None
    for row, single_row in zip(together.epochs, by_itself.epochs, strict=True):
        assert row.keys() == single_row.keys()
        assert row["val_loss"] == pytest.approx(single_row["val_loss"], rel=1e-4)


def test_students_trained_in_turn_equal_single_ones_bit_for_bit(train_single, space, digits, folder, monkeypatch):
    reported = []
    monkeypatch.setattr(
        trainable.tune, "report", lambda result: reported.extend((row["trial"], row["epoch"]) for row in result["rows"])
    )
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (1, 0))
    train(Pack(students, stacked=False), digits, folder)
    assert reported == [(student.key, epoch) for student in students for epoch in (1, 2, 3)]
    first, second = (history(folder, student.key) for student in students)
    assert first is not None and second is not None and second.start["time"] > first.end["time"]
    paths.rows_file(folder, students[1].key).unlink()
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    assert train_single() == students[1].key  # the second in its trial
    by_itself = history(folder, students[1].key)
    assert by_itself is not None
    assert [row["val_loss"] for row in second.epochs] == [row["val_loss"] for row in by_itself.epochs]
    assert second.end["test_loss"] == by_itself.end["test_loss"]


@pytest.mark.parametrize(("stacked", "opens_second"), [(True, 2), (False, 3)])  # in turn, the first ends before
def test_a_network_that_cannot_be_built_fails_only_its_student(
    stacked, opens_second, space, digits, folder, monkeypatch
):
    calls, real = itertools.count(1), student_rows.build_network

    def build(*arguments):
        if next(calls) == opens_second:
            raise MemoryError("made up")
        return real(*arguments)

    monkeypatch.setattr(student_rows, "build_network", build)
    monkeypatch.setattr(trainable.tune, "report", lambda row: None)
    values = {"method.alpha": 0, "method.temperature": 1}
    students = tuple(student_spec(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (0, 1))
    train(Pack(students, stacked), digits, folder)
    first, second = (records.read_rows(folder, student.key)[-1] for student in students)
    assert first["status"] == "finished"
    assert second["status"] == "failed" and "made up" in second["reason"]


def test_a_pack_resumes_with_its_unfinished_students(train_pack, folder, monkeypatch):
    saved: list[int | None] = []

    def die(path, content):
        saved.append(checkpoint_epoch(path, content))
        if len(saved) == 7:  # the third student's second epoch
            raise Died
        write_atomically(path, content)

    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr(f"search.{WRITE}", die)
        train_pack()
    names, _ = train_pack()
    assert [kinds(folder, name) for name in names] == [
        ["student", 1, 2, "student", 3, "end"],
        ["student", 1, 2, "student", 3, "end"],
        ["student", 1, 2, "student", 2, 3, "end"],
        ["student", 1, "student", 2, 3, "end"],
    ]
    assert train_pack() == (names, names)  # finished students are reported again


@pytest.mark.parametrize(
    ("error", "sizes"), [(torch.OutOfMemoryError("CUDA out of memory"), [4, 2, 2]), (ValueError("no rule"), [4])]
)
def test_a_pack_is_halved_without_memory_and_split_after_other_errors(train_pack, folder, monkeypatch, error, sizes):
    tried: list[int] = []
    real = trainable.fit_pack

    def limited(recipes, distillation_data, **options):
        tried.append(len(recipes))
        if len(recipes) > 2 or isinstance(error, ValueError):
            raise error
        return real(recipes, distillation_data, **options)

    monkeypatch.setattr(trainable, "fit_pack", limited)
    names, reported = train_pack()
    assert tried == sizes
    assert [kinds(folder, name) for name in names] == [["student", 1, 2, 3, "end"]] * 4
    assert sorted(reported) == sorted(names * 3)


@pytest.mark.parametrize(
    ("proposed", "together"), [(True, True), (True, False), (False, True)], ids=["as one", "each alone", "of a grid"]
)
def test_a_stopped_proposal_leaves_its_pack_for_good(proposed, together, space, digits, folder, monkeypatch):
    """A grid stops no student: a stopped row is of an interruption, and the student continues."""
    if not together:
        monkeypatch.setattr(trainable, "fit_pack", lambda *_, **__: 1 / 0)
    values = {"method.alpha": 0, "method.temperature": 1}
    specs = [student_spec(space(seeds=[0, 1, 2]), "baseline", values, seed, 0) for seed in (0, 1, 2)]
    students = tuple(replace(student, suggested=values if proposed else None) for student in specs)

    def report(result):
        for row in result["rows"]:
            key = row["trial"]
            if row["epoch"] == 1 and key == students[1].key and student_status(history(folder, key)) is None:
                records.append_row(folder, key, {"kind": "end", "status": "stopped"})

    monkeypatch.setattr(trainable.tune, "report", report)
    for _ in range(2):  # and when its worker has died
        train(Pack(students), digits, folder)
        row_kinds = [kinds(folder, student.key) for student in students]
        assert row_kinds[0] == row_kinds[2] == ["student", 1, 2, 3, "end"]
        assert row_kinds[1] == (["student", 1, "end"] if proposed else ["student", 1, "end", 2, 3, "end"])


def test_a_split_pack_reports_the_reason(train_pack, monkeypatch):
    message: list[str] = []
    real = trainable.fit_pack

    def limited(recipes, distillation_data, **options):
        if len(recipes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if len(recipes) > 1:
            raise ValueError("no rule")
        return real(recipes, distillation_data, **options)

    monkeypatch.setattr(trainable, "fit_pack", limited)
    monkeypatch.setattr(trainable.tune, "report", lambda result: message.append(result.get("message")))
    train_pack()
    reasons = [reason for reason in message if reason]
    assert reasons[0] == "memory does not suffice for all; now in halves"
    assert [reason.split("; ")[1] for reason in reasons[1:]] == ["now each is trained alone"] * 2
    assert all(reason.startswith("ValueError: no rule (test_trainable.py:") for reason in reasons[1:])


def test_only_the_diverged_student_of_a_pack_ends(train_pack, space, digits, folder, monkeypatch):
    values = {"method.alpha": 0, "method.temperature": 1}
    searched = space(train={"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": {"choice": [0.01, 1e12]}})
    mixed = [student_spec(searched, "baseline", values | {"train.lr": rate}, 0, 0) for rate in ("0.01", "1e12")]
    train(Pack(tuple(mixed)), digits, folder)
    ends = [records.read_rows(folder, student.key)[-1] for student in mixed]
    assert [end["status"] for end in ends] == ["finished", "diverged"]
    assert "in epoch 1" in ends[1]["reason"]


def test_an_ended_student_is_reported_again_and_not_trained_again(train_single, folder, monkeypatch):
    """Its node died before the report: Ray retries it and gets its last epoch."""
    name, reported = train_single(), []
    before, left = records.read_rows(folder, name), paths.checkpoint_file(folder, name)
    left.touch()  # as if its worker died before removing it
    monkeypatch.setattr(trainable.tune, "report", reported.append)
    train_single()
    assert records.read_rows(folder, name) == before and not left.exists()
    assert [[row["epoch"] for row in result["rows"]] for result in reported] == [[3]]
