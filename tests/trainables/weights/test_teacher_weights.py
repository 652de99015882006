"""Teachers read from a weights file, and files that do not fit."""

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
from trainables.device import to_tensor
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.teachers.key import teacher_key
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.weights import tensor_file
from trainables.weights.teacher_weights import load_teacher_weights

Make = Callable[..., Recipe]


@pytest.fixture
def weights(distilled_recipe: Make, digits: Dataset) -> dict[str, torch.Tensor]:
    return dict(build_network(distilled_recipe().teacher.model, digits.shape, 10, seed=42).state_dict())


@pytest.mark.parametrize("name", ["teacher.safetensors", "teacher.pth"])
def test_weights_from_a_file(
    kd_cache: Path, tmp_path: Path, distilled_recipe: Make, digits: Dataset, weights: dict[str, torch.Tensor], name: str
) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        tensor_file.write_tensors(path, weights)
    else:
        torch.save(weights, path)
    (result,) = train_teacher(distilled_recipe(weights=str(path)), digits)
    assert isinstance(result, TeacherResult)
    network = build_network(distilled_recipe().teacher.model, digits.shape, 10)
    network.load_state_dict(weights)
    expected = predict_logits(network, to_tensor(digits.val.images, torch.device("cpu"))).numpy()
    assert np.array_equal(result.outputs.val, expected)
    assert (result.record["train_seconds"], result.record["epochs"]) == (0, 0)


def test_the_key_follows_the_content_of_the_file(
    tmp_path: Path, distilled_recipe: Make, digits: Dataset, weights: dict[str, torch.Tensor]
) -> None:
    original, copy = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    tensor_file.write_tensors(original, weights)
    tensor_file.write_tensors(copy, weights)
    first = teacher_key(distilled_recipe(weights=str(original)), digits)
    assert first != teacher_key(distilled_recipe(), digits)
    assert first == teacher_key(distilled_recipe(weights=str(copy)), digits)
    tensor_file.write_tensors(original, weights | {"logits.bias": torch.ones(10)})
    assert first != teacher_key(distilled_recipe(weights=str(original)), digits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits.bias": None}, "logits.bias is missing"),
        ({"fc.bias": torch.ones(3)}, "fc.bias is not in the model"),
        ({"linear1.bias": torch.ones(7)}, r"linear1.bias is \[7\], expected \[32\]"),
        ({"linear1.bias": torch.ones(32).int()}, r"linear1.bias is int32, expected float32"),
        (
            {"logits.weight": torch.ones(12, 32), "logits.bias": torch.ones(12)},
            "its head has 12 outputs, expected 10; .* write teacher: {model: {weights: FILE}}",
        ),
    ],
    ids=["missing", "unknown", "shape", "integers", "head"],
)
def test_weights_that_do_not_fit(
    kd_cache: Path,
    tmp_path: Path,
    distilled_recipe: Make,
    digits: Dataset,
    weights: dict[str, torch.Tensor],
    change: dict[str, Any],
    message: str,
) -> None:
    path = tmp_path / "teacher.safetensors"
    tensor_file.write_tensors(path, {name: value for name, value in (weights | change).items() if value is not None})
    with pytest.raises(UserError, match=f"teacher.weights: {path}: .*{message}"):
        list(train_teacher(distilled_recipe(weights=str(path)), digits))


def test_many_tensors_that_do_not_fit_are_one_line(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    tensor_file.write_tensors(tmp_path / "w.safetensors", {f"layer{i}": torch.ones(1) for i in range(99)})
    with pytest.raises(UserError, match=r"103 tensors: .*") as caught:
        load_teacher_weights(torch.nn.Sequential(*2 * [torch.nn.Linear(2, 2)]), tmp_path / "w.safetensors")
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_a_missing_file(kd_cache: Path, tmp_path: Path, distilled_recipe: Make, digits: Dataset) -> None:
    with pytest.raises(UserError, match=f"teacher.weights: {tmp_path / 'none.pth'}: no such file"):
        list(train_teacher(distilled_recipe(weights=str(tmp_path / "none.pth")), digits))


def test_a_file_with_code_is_not_executed(
    kd_cache: Path, tmp_path: Path, distilled_recipe: Make, digits: Dataset
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "touched",)

    path = tmp_path / "teacher.pth"
    torch.save({"logits.bias": Trap()}, path)
    with pytest.raises(UserError, match=str(path)):
        list(train_teacher(distilled_recipe(weights=str(path)), digits))
    assert not (tmp_path / "touched").exists()
