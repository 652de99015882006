"""Networks saved as TorchScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.teachers.key import teacher_key
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.validate import data_problems

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.fixture
def scripted(tmp_path: Path) -> tuple[nn.Module, Path]:
    """A network, and its TorchScript file."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10)).eval()
    torch.jit.trace(network, torch.rand(2, 1, 8, 8)).save(str(tmp_path / "net.pt"))
    return network, tmp_path / "net.pt"


def test_a_torchscript_file_is_a_teacher(
    kd_cache: Path, scripted: tuple[nn.Module, Path], distilled_recipe: Callable[..., Recipe], digits: Dataset
) -> None:
    network, file = scripted
    recipe = distilled_recipe(model={"name": "torchscript", "file": str(file)}, train={"epochs": 0})
    assert list(data_problems(recipe, digits)) == []
    for _ in range(2):  # computed, then read from the cache
        (result,) = train_teacher(recipe, digits)
        assert isinstance(result, TeacherResult)
        expected = predict_logits(network, torch.tensor(digits.val.images)).numpy()
        np.testing.assert_allclose(result.outputs.val, expected, rtol=1e-5, atol=1e-5)
        assert result.record["parameters"] == 64 * 8 + 8 + 8 * 10 + 10
    key = teacher_key(recipe, digits)
    file.write_bytes(file.read_bytes() + b" ")
    assert teacher_key(recipe, digits) != key


def test_torchscript_is_for_teachers(
    scripted: tuple[nn.Module, Path], recipe: Callable[..., Recipe], digits: Dataset
) -> None:
    ((path, message),) = data_problems(recipe({"name": "torchscript", "file": str(scripted[1])}), digits)
    assert (path, message) == ("student.model", "torchscript: for a teacher that is not trained: train: {epochs: 0}")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "torchscript", "file": "nowhere.pt"}, "nowhere.pt: no such file"),
        ({"name": "torchscript", "file": __file__}, "not a TorchScript model"),
    ],
    ids=["missing", "other file"],
)
def test_other_files_are_one_line(model: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_network(Model.model_validate(model), (3, 16, 16), 10)
    assert len(str(caught.value).splitlines()) == 1
