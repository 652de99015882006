"""The regressor between two layers, and the problems of missing layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, requested_outputs
from trainables.fit import EpochResult, fit
from trainables.hints import hint_problems
from trainables.method_module import build_method_module, is_rectified
from trainables.methods.regressors import layer_regressor
from trainables.models import MODELS, build_network
from trainables.observed_shapes import LayersError, ObservedShapes
from trainables.teachers.train import train_teacher

Make = Callable[..., Recipe]
TRAIN = {"epochs": 1, "batch_size": 64, "precision": "float32"}
CNN = {"model": {"name": "cnn"}, "train": TRAIN}
FITNETS = {"name": "fitnets", "alpha": 0.5, "temperature": 4.0, "guided": "relu1", "hint": "relu3", "hint_epochs": 2}


CPU = torch.device("cpu")


def regressor_between(kind: str, guided: list[int], hint: list[int], rectified: bool = False) -> nn.Module:
    shapes = {"guided": torch.Size(guided)}, {"hint": torch.Size(hint)}
    observed = ObservedShapes(*shapes, frozenset(["hint"] if rectified else []), torch.zeros(1))
    return layer_regressor(observed, guided="guided", hint="hint", regressor=kind)


def test_a_linear_regressor_has_the_shape_of_the_hint() -> None:
    regressor = regressor_between("linear", [784], [8, 3, 3], rectified=True)
    output = regressor(torch.randn(5, 784))
    assert output.shape == (5, 8, 3, 3) and output.min() >= 0
    assert regressor_between("linear", [7], [9])(torch.randn(50, 7)).min() < 0


def test_a_convolutional_regressor_has_the_kernel_of_the_paper() -> None:
    # Romero et al. 2015: N_g - N_h + 1 both ways, no padding.
    regressor = regressor_between("conv", [4, 11, 9], [6, 8, 9])
    (convolution,) = (module for module in regressor.modules() if isinstance(module, nn.Conv2d))
    assert convolution.kernel_size == (4, 1) and regressor(torch.randn(2, 4, 11, 9)).shape == (2, 6, 8, 9)


@pytest.mark.parametrize(
    ("guided", "hint", "text"),
    [
        ([4, 3, 3], [4, 5, 5], "cannot enlarge [4, 3, 3] to [4, 5, 5]"),
        ([9], [4, 2, 2], "a conv regressor maps [channels, height, width]"),
    ],
)
def test_impossible_convolutions(guided: list[int], hint: list[int], text: str) -> None:
    with pytest.raises(LayersError, match=re.escape(text)):
        regressor_between("conv", guided, hint)


@pytest.mark.parametrize(
    ("name", "rectified"),
    [("conv1", False), ("relu1", True), ("pool1", True), ("dense", False), ("relu3", True), ("logits", False)],
)
def test_rectified_layers(digits: Dataset, recipe: Make, name: str, rectified: bool) -> None:
    for model in ({"name": "cnn"}, {"name": "cnn", "subclasses": 2}):
        network = build_network(recipe(model).student.model, digits.shape, 10)
        assert is_rectified(network, name) is rectified


def test_seeds_determine_the_regressor(digits: Dataset, recipe: Make) -> None:
    first, same_seed, other_seed = (
        build_method_module(recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN, seed=seed), digits, CPU)
        for seed in (0, 0, 1)
    )
    assert first is not None and same_seed is not None and other_seed is not None
    pairs = zip(first.parameters(), same_seed.parameters(), other_seed.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not torch.equal(next(first.parameters()), next(other_seed.parameters()))


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"guided": "relu9"}, "method.guided", "no layer relu9 in this network; did you mean relu1?"),
        ({"hint": "pol1"}, "method.hint", "did you mean pool1?"),
        ({"regressor": "conv"}, "method.regressor", "a conv regressor maps [channels, height, width]"),
    ],
)
def test_missing_layers(digits: Dataset, recipe: Make, changes: dict, path: str, text: str) -> None:
    wrong = recipe({"name": "mlp", "hidden": [16]}, FITNETS | changes, teacher=CNN)
    ((problem_path, message),) = hint_problems(wrong, digits)
    assert problem_path == path and text in message


def test_a_layer_without_activations(digits: Dataset, recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "holding", lambda shape, classes: Holding(shape[0] * shape[1] * shape[2], classes))
    ((problem_path, message),) = hint_problems(
        recipe({"name": "holding"}, FITNETS | {"guided": "held"}, teacher=CNN), digits
    )
    assert (problem_path, message) == ("method.guided", "held only contains other layers; use one of them")


class Holding(nn.Module):
    """Call the layers of a list, but not the list."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.held = nn.ModuleList([nn.Flatten(), nn.Linear(inputs, classes)])

    def forward(self, images: Tensor) -> Tensor:
        return self.held[1](self.held[0](images))


def test_an_assistant_has_the_subclasses_of_its_teacher(digits: Dataset, recipe: Make) -> None:
    teacher = {"model": {"name": "mlp", "hidden": [8], "subclasses": 2}}
    assistant = {"model": {"name": "mlp", "hidden": [8]}, "method": {"name": "subclass"}, "teacher": teacher}
    hint = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "logits"}
    regressor = build_method_module(recipe({"name": "mlp", "hidden": [16]}, hint, teacher=assistant), digits, CPU)
    assert regressor is not None and regressor(torch.zeros(3, 16)).shape == (3, 20)


def test_no_problems(digits: Dataset, recipe: Make) -> None:
    assert list(hint_problems(recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN), digits)) == []
    assert list(hint_problems(recipe(), digits)) == []


def test_an_ensemble_has_no_layers(digits: Dataset, recipe: Make) -> None:
    wrong = recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher={"ensemble": [CNN, CNN]})
    assert [path for path, _ in hint_problems(wrong, digits)] == ["method.hint"]


@pytest.fixture(scope="module")
def fitted(digits: Dataset, recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, DistillationData]:
    """A student with hints and its distillation data."""
    data = digits.take(200, 50, 50)
    student = recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN, epochs=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KD_CACHE", str(tmp_path_factory.mktemp("cache")))
        *_, teacher_result = train_teacher(student, data, requested_outputs([student]))
    return student, DistillationData(data, teacher_result.outputs)  # type: ignore[union-attr]


def test_the_first_stage_trains_the_guided_layers_only(fitted: tuple[Recipe, DistillationData]) -> None:
    student, distillation_data = fitted
    fresh = build_network(student.network, distillation_data.data.shape, 10, student.seed).state_dict()
    epochs = fit(student, distillation_data)
    next(epochs)
    weights = {name: value.clone() for name, value in next(epochs).state.weights.items()}
    assert torch.equal(weights["logits.weight"], fresh["logits.weight"])
    assert not torch.equal(weights["linear1.weight"], fresh["linear1.weight"])
    assert not torch.equal(next(epochs).state.weights["logits.weight"], fresh["logits.weight"])


def test_the_second_stage_resets_the_optimizer(fitted: tuple[Recipe, DistillationData]) -> None:
    steps = [float(result.state.optimizer_state["0.step"]) for result in fit(*fitted)]
    assert steps == [3, 6, 3, 6]  # steps of 200 images in batches of 64, counted by Adam


@pytest.mark.parametrize("after", [1, 2, 3])
def test_continue_a_training_with_hints(
    fitted: tuple[Recipe, DistillationData],
    run: Callable[..., list[EpochResult]],
    same: Callable,
    tmp_path: Path,
    after: int,
) -> None:
    results = run(*fitted)
    for result in fit(*fitted):
        if result.epoch == after:
            checkpoint.save_checkpoint(tmp_path / "state", result.state)
            break
    assert same(run(*fitted, checkpoint.load_checkpoint(tmp_path / "state")), results[after:])
