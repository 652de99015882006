"""A teacher is taught once, whatever happens in between, and its answers belong to the images."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import tensor
from trainables.distillation_data import TeacherOutputs
from trainables.evaluate import agreement, predict
from trainables.fit import Epoch
from trainables.models import build
from trainables.teachers.teach import TeacherResult, key, teach
from trainables.weights import tensor_file

ROOT = Path(__file__).parents[3]
MODEL = {"name": "mlp", "hidden": [32], "dropout": 0.2}
TRAIN = {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"}
TEACHER = {"model": MODEL, "train": TRAIN}

Make = Callable[..., Recipe]


def taught(recipe: Recipe, data: Dataset) -> tuple[list[Epoch], TeacherResult]:
    *before, last = teach(recipe, data)
    assert isinstance(last, TeacherResult)
    return [each for each in before if isinstance(each, Epoch)], last


def answers(result: TeacherResult) -> TeacherOutputs:
    assert result.lesson.teacher is not None
    return result.lesson.teacher


def equal(some: TeacherResult, others: TeacherResult) -> bool:
    return all(map(np.array_equal, answers(some)[:3], answers(others)[:3]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, pupil: Make, digits: Dataset) -> TeacherResult:
    """Return what a teacher teaches that was taught at one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KD_CACHE", str(tmp_path_factory.mktemp("undisturbed")))
        return taught(pupil(), digits)[1]


# Once.


def test_taught_once(kd_cache: Path, pupil: Make, digits: Dataset) -> None:
    epochs, first = taught(pupil(), digits)
    again, second = taught(pupil(), digits)
    assert [each.epoch for each in epochs] == [1, 2, 3] and again == []
    assert equal(first, second)
    assert second.record == first.record | {"cached": True, "latency_ms": second.record["latency_ms"]}
    assert first.record["cached"] is False


def test_the_record(undisturbed: TeacherResult, pupil: Make, digits: Dataset) -> None:
    record = undisturbed.record
    assert record["key"] == key(pupil(), digits)
    assert (record["seed"], record["epochs"]) == (0, 3)
    assert (record["parameters"], record["macs"]) == (64 * 32 + 32 + 320 + 10, 64 * 32 + 320)
    assert record["train_seconds"] > 0
    for name, split, logits in zip(("train", "val", "test"), digits[:3], answers(undisturbed)[:3], strict=True):
        assert record[f"{name}_accuracy"] == pytest.approx((logits.argmax(1) == split.labels).mean())
        assert record[f"{name}_accuracy"] > 0.8


def test_weights_that_are_kept_give_the_answers_that_are_kept(kd_cache: Path, pupil: Make, digits: Dataset) -> None:
    _, result = taught(pupil(), digits)
    network = build(pupil().teacher.model, digits.shape, 10)
    network.load_state_dict(tensor_file.read(kd_cache / result.record["key"] / "weights.safetensors")[0])
    for split, logits in zip(digits[:3], answers(result)[:3], strict=True):
        expected = predict(network, tensor(split.images, torch.device("cpu"))).numpy()
        assert logits.dtype == np.float32 and np.array_equal(logits, expected)


def test_other_students_have_the_same_teacher(recipe: Make, pupil: Make, digits: Dataset) -> None:
    method = {"name": "hinton", "alpha": 1.0, "temperature": 9.0}
    other = recipe({"name": "cnn"}, method, teacher=TEACHER, seed=7, lr=0.5)
    assert key(other, digits) == key(pupil(), digits)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"model": MODEL | {"dropout": 0.1}}, {"train": TRAIN | {"lr": 0.02}}],
    ids=["seed", "model", "train"],
)
def test_another_recipe_is_another_teacher(pupil: Make, digits: Dataset, changes: dict[str, Any]) -> None:
    assert key(pupil(**changes), digits) != key(pupil(), digits)


def test_other_data_are_another_teacher(pupil: Make, digits: Dataset) -> None:
    labels = digits.test.labels.copy()
    labels[-1] = (labels[-1] + 1) % 10
    other = digits._replace(test=digits.test._replace(labels=labels))
    assert key(pupil(), other) != key(pupil(), digits)


def test_another_version_of_the_code_is_another_teacher(
    pupil: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(pupil(), digits)
    monkeypatch.setattr("trainables.teachers.teach.TRAINING_VERSION", 0)
    assert key(pupil(), digits) != before


def test_a_revised_network_is_another_teacher_and_no_other_is(
    pupil: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = {"model": {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [4]}}}
    before = key(pupil(), digits), key(pupil(**several), digits)
    monkeypatch.setattr("trainables.teachers.teach.REVISED", {"ensemble": 99})
    assert key(pupil(), digits) == before[0] and key(pupil(**several), digits) != before[1]


def test_another_plugin_is_another_teacher(pupil: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key(pupil(), digits)]
    for source in ("A = 1", "A = 2"):
        monkeypatch.setattr("trainables.plugin._loaded", {"mine.py": source})
        keys.append(key(pupil(), digits))
    assert len(set(keys)) == 3


# Whatever happens in between.


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_killed_it_goes_on(
    kd_cache: Path, pupil: Make, digits: Dataset, undisturbed: TeacherResult, epochs: int
) -> None:
    interrupted = teach(pupil(), digits)
    for _ in range(1 + epochs):  # the first says that it begins
        next(interrupted)
    interrupted.close()  # type: ignore[attr-defined]
    rest, result = taught(pupil(), digits)
    assert [each.epoch for each in rest] == [1, 2, 3][epochs:]
    assert equal(result, undisturbed)
    assert result.record["cached"] is False
    assert [path.name for path in kd_cache.rglob("checkpoint*")] == []


@pytest.mark.parametrize("damage", [b"", b"no tensors", None], ids=["empty", "other", "truncated"])
def test_a_damaged_checkpoint_costs_its_epochs(
    kd_cache: Path, pupil: Make, digits: Dataset, undisturbed: TeacherResult, damage: bytes | None
) -> None:
    interrupted = teach(pupil(), digits)
    next(interrupted), next(interrupted)
    interrupted.close()  # type: ignore[attr-defined]
    (path,) = kd_cache.rglob("checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    epochs, result = taught(pupil(), digits)
    assert [each.epoch for each in epochs] == [1, 2, 3]
    assert equal(result, undisturbed)


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("name", ["answers.safetensors", "weights.safetensors", "record.json"])
@pytest.mark.parametrize("damage", [flip, lambda content: content[:-1], lambda content: b""])
def test_an_altered_cache_is_taught_again(
    kd_cache: Path,
    pupil: Make,
    digits: Dataset,
    undisturbed: TeacherResult,
    name: str,
    damage: Callable[[bytes], bytes],
) -> None:
    taught(pupil(), digits)
    (path,) = kd_cache.rglob(name)
    path.write_bytes(damage(path.read_bytes()))
    epochs, result = taught(pupil(), digits)
    assert len(epochs) == 3 and equal(result, undisturbed)
    assert taught(pupil(), digits)[0] == []  # whole again


def test_two_processes_at_once_train_one_teacher(
    kd_cache: Path, tmp_path: Path, pupil: Make, digits: Dataset, undisturbed: TeacherResult
) -> None:
    given = tmp_path / "given"
    given.write_bytes(pickle.dumps((pupil(), digits)))
    code = f"""
import pickle, sys
from pathlib import Path
import torch
from trainables.teach import teach
torch.set_num_threads(1)
recipe, data = pickle.loads(Path({str(given)!r}).read_bytes())
print("ready", flush=True)
sys.stdin.readline()
*epochs, last = teach(recipe, data)
print(len(epochs), last.record["cached"], float(last.lesson.teacher.test.sum(dtype="float64")))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for each in both:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    total = float(answers(undisturbed).test.sum(dtype="float64"))
    assert sorted(each.communicate(timeout=120)[0] for each in both) == [f"0 True {total}\n", f"4 False {total}\n"]


# What it teaches.


def test_a_student_of_the_teacher_alone_becomes_like_it(
    kd_cache: Path, recipe: Make, run: Callable[..., list[Epoch]], digits: Dataset
) -> None:
    # A canary for answers beside the wrong images: the student sees no label, and the teacher is not always right.
    imitation = recipe(
        {"name": "mlp", "hidden": [64]},
        {"name": "hinton", "alpha": 1.0, "temperature": 2.0},
        teacher=TEACHER,
        epochs=12,
    )
    lesson = taught(imitation, digits)[1].lesson
    assert lesson.teacher is not None
    student = build(imitation.student.model, digits.shape, 10)
    student.load_state_dict(run(imitation, lesson)[-1].state.weights)
    logits = predict(student, tensor(digits.train.images, torch.device("cpu")))
    assert agreement(logits, torch.from_numpy(lesson.teacher.train)) > 0.97


def test_answers_follow_the_data_s_own_order(
    kd_cache: Path, pupil: Make, digits: Dataset, undisturbed: TeacherResult
) -> None:
    order = np.random.default_rng(0).permutation(len(digits.test.labels))
    turned = digits._replace(
        test=digits.test._replace(images=digits.test.images[order], labels=digits.test.labels[order])
    )
    result = answers(taught(pupil(), turned)[1])
    assert np.array_equal(result.train, answers(undisturbed).train)
    np.testing.assert_allclose(result.test, answers(undisturbed).test[order], rtol=1e-5, atol=1e-5)
