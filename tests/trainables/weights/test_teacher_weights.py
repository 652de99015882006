"""A teacher that somebody already has: its weights are read, or refused with the names of what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import tensor
from trainables.evaluate import predict
from trainables.models import build
from trainables.teachers.teach import TeacherResult, key, load_weights, teach
from trainables.weights import tensor_file

Make = Callable[..., Recipe]


@pytest.fixture
def weights(pupil: Make, digits: Dataset) -> dict[str, torch.Tensor]:
    return dict(build(pupil().teacher.model, digits.shape, 10, seed=42).state_dict())


@pytest.mark.parametrize("name", ["teacher.safetensors", "teacher.pth"])
def test_weights_from_a_file(
    kd_cache: Path, tmp_path: Path, pupil: Make, digits: Dataset, weights: dict[str, torch.Tensor], name: str
) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        tensor_file.write(path, weights)
    else:
        torch.save(weights, path)
    (result,) = teach(pupil(weights=str(path)), digits)
    assert isinstance(result, TeacherResult) and result.lesson.teacher is not None
    network = build(pupil().teacher.model, digits.shape, 10)
    network.load_state_dict(weights)
    expected = predict(network, tensor(digits.val.images, torch.device("cpu"))).numpy()
    assert np.array_equal(result.lesson.teacher.val, expected)
    assert (result.record["train_seconds"], result.record["epochs"]) == (0, 0)


def test_the_key_follows_the_content_of_the_file(
    tmp_path: Path, pupil: Make, digits: Dataset, weights: dict[str, torch.Tensor]
) -> None:
    some, copy = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    tensor_file.write(some, weights)
    tensor_file.write(copy, weights)
    first = key(pupil(weights=str(some)), digits)
    assert first != key(pupil(), digits)
    assert first == key(pupil(weights=str(copy)), digits)
    tensor_file.write(some, weights | {"logits.bias": torch.ones(10)})
    assert first != key(pupil(weights=str(some)), digits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits.bias": None}, "logits.bias is missing"),
        ({"fc.bias": torch.ones(3)}, "fc.bias is not in the model"),
        ({"logits.bias": torch.ones(7)}, r"logits.bias is \[7\], expected \[10\]"),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_weights_that_do_not_fit(
    kd_cache: Path,
    tmp_path: Path,
    pupil: Make,
    digits: Dataset,
    weights: dict[str, torch.Tensor],
    change: dict[str, Any],
    message: str,
) -> None:
    path = tmp_path / "teacher.safetensors"
    tensor_file.write(path, {name: value for name, value in (weights | change).items() if value is not None})
    with pytest.raises(UserError, match=f"teacher.weights: {path}: .*{message}"):
        list(teach(pupil(weights=str(path)), digits))


def test_many_tensors_that_do_not_fit_are_one_line(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    tensor_file.write(tmp_path / "w.safetensors", {f"layer{i}": torch.ones(1) for i in range(99)})
    with pytest.raises(UserError, match=r"103 tensors: .*") as caught:
        load_weights(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)), tmp_path / "w.safetensors")
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(kd_cache: Path, tmp_path: Path, pupil: Make, digits: Dataset) -> None:
    with pytest.raises(UserError, match=f"teacher.weights: {tmp_path / 'none.pth'}: no such file"):
        list(teach(pupil(weights=str(tmp_path / "none.pth")), digits))


def test_a_file_that_runs_code_does_not_run(kd_cache: Path, tmp_path: Path, pupil: Make, digits: Dataset) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "teacher.pth"
    torch.save({"logits.bias": Trap()}, path)
    with pytest.raises(UserError, match=str(path)):
        list(teach(pupil(weights=str(path)), digits))
    assert not (tmp_path / "touched").exists()
