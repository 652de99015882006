"""Weights files as other tools write them, and files that are no weights."""

from __future__ import annotations

import argparse
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.models import build_network
from trainables.validate import data_problems
from trainables.weights import tensor_file
from trainables.weights.teacher_weights import load_teacher_weights
from trainables.weights.weights_file import find_weights_file, read_weights

Save = Callable[[dict[str, Tensor], Path], None]


def make_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = {"linear1": nn.Linear(64, 8), "norm": nn.BatchNorm1d(8), "logits": nn.Linear(8, 10)}
    return nn.Sequential(OrderedDict({"flatten": nn.Flatten(), **layers}))


@pytest.fixture
def network() -> nn.Module:
    return make_network()


def prefixed(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def torch_save(wrap: Callable[[dict[str, Tensor]], Any], **options: Any) -> Save:
    return lambda weights, path: torch.save(wrap(weights), path, **options)


OTHER = make_network(9).state_dict()  # of a network in the same checkpoint that is not wanted
LAYOUTS: dict[str, Save] = {
    "plain": torch_save(dict),
    "before PyTorch 1.6": torch_save(dict, _use_new_zipfile_serialization=False),
    "DataParallel": torch_save(lambda w: prefixed("module.", w)),
    "torch.compile": torch_save(lambda w: prefixed("_orig_mod.", w)),
    "compiled DataParallel": torch_save(lambda w: prefixed("module._orig_mod.", w)),
    "a compiled part": torch_save(lambda w: {n.replace("linear1", "linear1._orig_mod"): v for n, v in w.items()}),
    "ImageNet example": torch_save(lambda w: {"state_dict": w, "epoch": 60, "best_acc": np.float64(0.9), "arch": "x"}),
    "timm with averaged weights": torch_save(lambda w: {"state_dict": OTHER, "state_dict_ema": w, "version": 2}),
    "RepDistiller": torch_save(lambda w: {"model": w, "opt": {"state": {}, "param_groups": []}, "epoch": 60}),
    "mdistiller": torch_save(lambda w: {"model": prefixed("module.student.", w), "epoch": 60}),
    "model_state_dict": torch_save(lambda w: {"model_state_dict": w, "loss": torch.tensor(0.3)}),
    "Lightning": torch_save(
        lambda w: {
            "state_dict": prefixed("model.", w) | {"loss.weight": torch.ones(10)},
            "hyper_parameters": {"lr": 3e-3},
            "pytorch-lightning_version": "2.5.0",
        }
    ),
    "torchdistill": torch_save(lambda w: {"model": w, "args": argparse.Namespace(lr=3e-3, path=Path())}),
    "averaged by torch.optim.swa_utils": torch_save(
        lambda w: {"n_averaged": torch.tensor(3), **prefixed("module.", w)}
    ),
    "another key": torch_save(lambda w: {"student_weights": w, "epoch": 3}),
    "safetensors": lambda w, path: save_file(prefixed("module.", w), path),
    "safetensors named .pth": lambda w, path: save_file(w, path.with_suffix(".pth")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_as_other_tools_save_them(layout: str, tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / ("w.safetensors" if layout == "safetensors" else "w.pth")
    LAYOUTS[layout](dict(network.state_dict()), path)
    loaded = make_network(1)
    load_teacher_weights(loaded, path)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype, tmp_path: Path, network: nn.Module) -> None:
    torch.save({name: value.to(dtype) for name, value in network.state_dict().items()}, tmp_path / "w.pth")
    loaded = make_network(1)
    load_teacher_weights(loaded, tmp_path / "w.pth")
    assert loaded.linear1.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.linear1.weight, network.linear1.weight, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_hugging_face_folder(name: str, tmp_path: Path, network: nn.Module) -> None:
    (save_file if name.endswith("safetensors") else torch.save)(network.state_dict(), tmp_path / name)
    assert find_weights_file(str(tmp_path)) == tmp_path / name


ONNX_HEAD = b"\x08\x08\x12\x07pytorch\x1a\x052.13."
OTHER_FILES: dict[str, tuple[Callable[[nn.Module, Path], Any], str]] = {
    "a whole module": (
        torch.save,
        "a whole pickled object of class torch.nn.modules.container.Sequential; .*state_dict",
    ),
    "a whole module, old": (
        lambda network, path: torch.save(network, path, _use_new_zipfile_serialization=False),
        "a whole pickled object of class torch.nn.modules.container.Sequential",
    ),
    "an optimizer": (
        lambda network, path: torch.save(torch.optim.SGD(network.parameters()).state_dict(), path),
        "the state of an optimizer; expected that of a network",
    ),
    "ONNX": (lambda _, path: path.write_bytes(ONNX_HEAD + bytes(99)), "an ONNX model; use the weights"),
    "TorchScript": (
        lambda network, path: torch.jit.script(network).save(str(path)),
        "a TorchScript model; write teacher: {model: {name: torchscript",
    ),
    "HTML": (lambda _, path: path.write_text("<!DOCTYPE html><html>404</html>"), "an HTML page"),
    "git-lfs": (lambda _, path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "run: git lfs pull"),
    "cut off": (
        lambda network, path: (torch.save(network.state_dict(), path), path.write_bytes(path.read_bytes()[:-99])),
        "a truncated zip archive",
    ),
    "empty": (lambda _, path: path.touch(), "an empty file"),
    "Keras": (lambda _, path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "an HDF5 file, as Keras writes"),
    "NumPy": (lambda _, path: path.write_bytes(np.lib.format.magic(1, 0)), "a NumPy array"),
    "text": (lambda _, path: path.write_text("see README"), "not a state dict of plain tensors"),
    "no tensors": (lambda _, path: torch.save({"epoch": 3}, path), r"found also epoch \(int\)"),
    "a list": (lambda _, path: torch.save([torch.ones(2)], path), "found list"),
    "a tensor": (lambda _, path: torch.save(torch.ones(2), path), "found Tensor"),
    "NaN": (
        lambda network, path: torch.save({**network.state_dict(), "logits.bias": torch.tensor(10 * [torch.nan])}, path),
        "logits.bias contains NaN or infinite values",
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("kind", OTHER_FILES)
def test_other_files_are_named_in_one_line(kind: str, tmp_path: Path, network: nn.Module) -> None:
    write, message = OTHER_FILES[kind]
    write(network, tmp_path / "w.pth")
    with pytest.raises(UserError, match=f"^{tmp_path / 'w.pth'}: .*{message}") as caught:
        read_weights(tmp_path / "w.pth")
    assert len(str(caught.value).splitlines()) == 1


def test_two_networks_that_match_equally_are_refused(tmp_path: Path, network: nn.Module) -> None:
    weights = prefixed("student.", network.state_dict()) | prefixed("teacher.", network.state_dict())
    torch.save({"state_dict": weights}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"networks named student. and teacher. match equally; save the weights of one"):
        load_teacher_weights(network, tmp_path / "w.pth")


def test_a_check_opens_the_file(
    tmp_path: Path, distilled_recipe: Callable[..., Recipe], digits: Dataset, network: nn.Module
) -> None:
    path = tmp_path / "w.pth"
    recipe = distilled_recipe(weights=str(path))
    path.write_text("<html>")
    assert list(data_problems(recipe, digits)) == [
        (
            "teacher.weights",
            f"{path}: an HTML page, not the file itself; download it again; expected a state dict in a "
            "PyTorch or safetensors file",
        )
    ]
    torch.save(network.state_dict(), path)
    ((key, message),) = data_problems(recipe, digits)
    assert key == "teacher.weights" and message.startswith(f"{path}: does not fit teacher.model (")
    torch.save(build_network(recipe.teacher.model, digits.shape, 10).state_dict(), path)
    assert list(data_problems(recipe, digits)) == []


class Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_no_code_is_run(tmp_path: Path, name: str, save: Callable[[Any, Path], None]) -> None:
    touched = tmp_path / "touched"
    save({"weight": torch.ones(2), "trap": Code(touched)}, tmp_path / name)
    with pytest.raises(UserError, match=str(tmp_path / name)):
        read_weights(tmp_path / name)
    assert not touched.exists()


def test_every_truncation_is_refused(tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / "w.pth"
    torch.save(network.state_dict(), path)
    content = path.read_bytes()
    for length in [0, 1, 10, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=str(path)):
            read_weights(path)


def test_an_export_of_this_project_is_read(tmp_path: Path, network: nn.Module) -> None:
    tensor_file.write_tensors(tmp_path / "student.safetensors", network.state_dict())
    assert read_weights(tmp_path / "student.safetensors").keys() == network.state_dict().keys()
