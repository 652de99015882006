"""A teacher is trained once, even if its training is interrupted, and its outputs belong to the images."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.errors import UserError
from spaces.metric_functions import agreement
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import to_tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_logits
from trainables.fit import EpochResult
from trainables.models import build_network
from trainables.teachers.key import teacher_key
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.weights import tensor_file

ROOT = Path(__file__).parents[3]
MODEL = {"name": "mlp", "hidden": [32], "dropout": 0.2}
TRAIN = {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"}
TEACHER = {"model": MODEL, "train": TRAIN}

Make = Callable[..., Recipe]


def train(recipe: Recipe, data: Dataset) -> tuple[list[EpochResult], TeacherResult]:
    *events, result = train_teacher(recipe, data)
    assert isinstance(result, TeacherResult)
    return [event for event in events if isinstance(event, EpochResult)], result


def equal(first: TeacherResult, second: TeacherResult) -> bool:
    return all(map(np.array_equal, first.outputs[:3], second.outputs[:3]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, distilled_recipe: Make, digits: Dataset) -> TeacherResult:
    """A teacher trained without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KD_CACHE", str(tmp_path_factory.mktemp("undisturbed")))
        return train(distilled_recipe(), digits)[1]


def test_a_teacher_is_trained_once(kd_cache: Path, distilled_recipe: Make, digits: Dataset) -> None:
    epochs, first = train(distilled_recipe(), digits)
    more_epochs, second = train(distilled_recipe(), digits)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3] and more_epochs == []
    assert equal(first, second)
    assert second.record == first.record | {"cached": True, "latency_ms": second.record["latency_ms"]}
    assert first.record["cached"] is False


def test_record(undisturbed: TeacherResult, distilled_recipe: Make, digits: Dataset) -> None:
    record = undisturbed.record
    assert record["key"] == teacher_key(distilled_recipe(), digits)
    assert (record["seed"], record["epochs"]) == (0, 3)
    assert (record["parameters"], record["macs"]) == (64 * 32 + 32 + 320 + 10, 64 * 32 + 320)
    assert record["train_seconds"] > 0
    for name, split, logits in zip(("train", "val", "test"), digits[:3], undisturbed.outputs[:3], strict=True):
        assert record[f"{name}_accuracy"] == pytest.approx((logits.argmax(1) == split.labels).mean())
        assert record[f"{name}_accuracy"] > 0.8


def test_cached_weights_reproduce_the_cached_logits(kd_cache: Path, distilled_recipe: Make, digits: Dataset) -> None:
    _, result = train(distilled_recipe(), digits)
    network = build_network(distilled_recipe().teacher.model, digits.shape, 10)
    network.load_state_dict(tensor_file.read_tensors(kd_cache / result.record["key"] / "weights.safetensors")[0])
    for split, logits in zip(digits[:3], result.outputs[:3], strict=True):
        expected = predict_logits(network, to_tensor(split.images, torch.device("cpu"))).numpy()
        assert logits.dtype == np.float32 and np.array_equal(logits, expected)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_killed_training_is_resumed(
    kd_cache: Path, distilled_recipe: Make, digits: Dataset, undisturbed: TeacherResult, epochs: int
) -> None:
    interrupted = train_teacher(distilled_recipe(), digits)
    for _ in range(1 + epochs):  # the first item is TrainingStarted
        next(interrupted)
    interrupted.close()  # type: ignore[attr-defined]
    rest, result = train(distilled_recipe(), digits)
    assert [epoch.epoch for epoch in rest] == [1, 2, 3][epochs:]
    assert equal(result, undisturbed)
    assert result.record["cached"] is False
    assert [path.name for path in kd_cache.rglob("checkpoint*")] == []


@pytest.mark.parametrize("damage", [b"", b"no tensors", None], ids=["empty", "other", "truncated"])
def test_a_damaged_checkpoint_costs_its_epochs(
    kd_cache: Path, distilled_recipe: Make, digits: Dataset, undisturbed: TeacherResult, damage: bytes | None
) -> None:
    interrupted = train_teacher(distilled_recipe(), digits)
    next(interrupted), next(interrupted)
    interrupted.close()  # type: ignore[attr-defined]
    (path,) = kd_cache.rglob("checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    epochs, result = train(distilled_recipe(), digits)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert equal(result, undisturbed)


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("name", ["logits-test.npy", "weights.safetensors"])
@pytest.mark.parametrize("damage", [flip, lambda content: content[:-1], lambda content: b""])
def test_a_damaged_teacher_is_trained_again(
    kd_cache: Path,
    distilled_recipe: Make,
    digits: Dataset,
    undisturbed: TeacherResult,
    name: str,
    damage: Callable[[bytes], bytes],
) -> None:
    train(distilled_recipe(), digits)
    (path,) = kd_cache.rglob(name)
    path.write_bytes(damage(path.read_bytes()))
    epochs, result = train(distilled_recipe(), digits)
    assert len(epochs) == 3 and equal(result, undisturbed)
    assert train(distilled_recipe(), digits)[0] == []


def test_two_processes_train_one_teacher(
    kd_cache: Path, tmp_path: Path, distilled_recipe: Make, digits: Dataset, undisturbed: TeacherResult
) -> None:
    arguments = tmp_path / "arguments"
    arguments.write_bytes(pickle.dumps((distilled_recipe(), digits)))
    code = f"""
import pickle, sys
from pathlib import Path
import torch
from trainables.teachers.train import train_teacher
torch.set_num_threads(1)
recipe, data = pickle.loads(Path({str(arguments)!r}).read_bytes())
print("ready", flush=True)
sys.stdin.readline()
*events, result = train_teacher(recipe, data)
print(len(events), result.record["cached"], float(result.outputs.test.sum(dtype="float64")))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    total = float(undisturbed.outputs.test.sum(dtype="float64"))
    assert sorted(process.communicate(timeout=540)[0] for process in processes) == [
        f"0 True {total}\n",
        f"4 False {total}\n",
    ]


def test_a_student_without_labels_imitates_its_teacher(
    kd_cache: Path, recipe: Make, run: Callable[..., list[EpochResult]], digits: Dataset
) -> None:
    # Fails if outputs belong to the wrong images: the student sees no label, and the teacher makes errors.
    imitation = recipe(
        {"name": "mlp", "hidden": [64]},
        {"name": "hinton", "alpha": 1.0, "temperature": 2.0},
        teacher=TEACHER,
        epochs=12,
    )
    outputs = train(imitation, digits)[1].outputs
    student = build_network(imitation.student.model, digits.shape, 10)
    student.load_state_dict(run(imitation, DistillationData(digits, outputs))[-1].state.weights)
    logits = predict_logits(student, to_tensor(digits.train.images, torch.device("cpu")))
    assert agreement(logits, torch.from_numpy(outputs.train)) > 0.97


def test_outputs_are_in_the_order_of_the_data(
    kd_cache: Path, distilled_recipe: Make, digits: Dataset, undisturbed: TeacherResult
) -> None:
    order = np.random.default_rng(0).permutation(len(digits.test.labels))
    reordered = digits._replace(
        test=digits.test._replace(images=digits.test.images[order], labels=digits.test.labels[order])
    )
    outputs = train(distilled_recipe(), reordered)[1].outputs
    assert np.array_equal(outputs.train, undisturbed.outputs.train)
    np.testing.assert_allclose(outputs.test, undisturbed.outputs.test[order], rtol=1e-5, atol=1e-5)


def test_a_cache_that_cannot_be_written_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distilled_recipe: Make, digits: Dataset
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"cannot keep teachers there .*; choose another folder by KD_CACHE=DIR"):
        train(distilled_recipe(), digits)
