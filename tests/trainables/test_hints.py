"""The regressor between two layers, and what is said of layers that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, requested_outputs
from trainables.fit import Epoch, fit
from trainables.hints import between, complaints, rectified, regressor
from trainables.models import MODELS, build
from trainables.teachers.teach import teach

Make = Callable[..., Recipe]
TRAIN = {"epochs": 1, "batch_size": 64, "precision": "float32"}
CNN = {"model": {"name": "cnn"}, "train": TRAIN}
FITNETS = {"name": "fitnets", "alpha": 0.5, "temperature": 4.0, "guided": "relu1", "hint": "relu3", "hint_epochs": 2}


def test_a_linear_regressor_has_the_shape_of_the_hint() -> None:
    made = regressor("linear", torch.Size([1, 784]), torch.Size([1, 8, 3, 3]), True, 0)
    found = made(torch.randn(5, 784))
    assert found.shape == (5, 8, 3, 3) and found.min() >= 0
    assert regressor("linear", torch.Size([1, 7]), torch.Size([1, 9]), False, 0)(torch.randn(50, 7)).min() < 0


def test_a_convolutional_regressor_has_the_kernel_of_the_paper() -> None:
    # Romero et al. 2015: N_g - N_h + 1 both ways, no padding.
    made = regressor("conv", torch.Size([1, 4, 11, 9]), torch.Size([1, 6, 8, 9]), False, 0)
    (found,) = (module for module in made.modules() if isinstance(module, nn.Conv2d))
    assert found.kernel_size == (4, 1) and made(torch.randn(2, 4, 11, 9)).shape == (2, 6, 8, 9)


@pytest.mark.parametrize(
    ("guided", "hint", "said"),
    [
        ([1, 4, 3, 3], [1, 4, 5, 5], "cannot enlarge: [4, 3, 3] to [4, 5, 5]"),
        ([1, 9], [1, 4, 2, 2], "planes to planes"),
    ],
)
def test_where_there_is_no_convolution(guided: list[int], hint: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("[", r"\[").replace("]", r"\]")):
        regressor("conv", torch.Size(guided), torch.Size(hint), False, 0)


@pytest.mark.parametrize(
    ("name", "found"),
    [("conv1", False), ("relu1", True), ("pool1", True), ("dense", False), ("relu3", True), ("logits", False)],
)
def test_a_hint_is_rectified_where_a_relu_was_last(digits: Dataset, recipe: Make, name: str, found: bool) -> None:
    for model in ({"name": "cnn"}, {"name": "cnn", "subclasses": 2}):
        network = build(recipe(model).student.model, digits.shape, 10)
        assert rectified(network, name) is found


def test_seeds_determine_the_regressor(digits: Dataset, recipe: Make) -> None:
    one, again, other = (
        between(recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN, seed=seed), digits) for seed in (0, 0, 1)
    )
    assert one is not None and again is not None and other is not None
    pairs = zip(one.parameters(), again.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"guided": "relu9"}, "method.guided", "no layer relu9 in this network; did you mean relu1?"),
        ({"hint": "pol1"}, "method.hint", "did you mean pool1?"),
        ({"regressor": "conv"}, "method.regressor", "planes to planes"),
    ],
)
def test_wrong_layers_are_named(digits: Dataset, recipe: Make, changes: dict, path: str, said: str) -> None:
    wrong = recipe({"name": "mlp", "hidden": [16]}, FITNETS | changes, teacher=CNN)
    ((where, message),) = complaints(wrong, digits)
    assert where == path and said in message


def test_what_only_holds_layers_gives_no_hint(digits: Dataset, recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "holding", lambda shape, classes: Holding(shape[0] * shape[1] * shape[2], classes))
    ((where, message),) = complaints(recipe({"name": "holding"}, FITNETS | {"guided": "held"}, teacher=CNN), digits)
    assert (where, message) == ("method.guided", "held only holds other layers; name one of them")


class Holding(nn.Module):
    """Calls the layers in a list, never the list."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.held = nn.ModuleList([nn.Flatten(), nn.Linear(inputs, classes)])

    def forward(self, images: Tensor) -> Tensor:
        return self.held[1](self.held[0](images))


def test_an_assistant_has_the_subclasses_of_its_teacher(digits: Dataset, recipe: Make) -> None:
    behind = {"model": {"name": "mlp", "hidden": [8], "subclasses": 2}}
    assistant = {"model": {"name": "mlp", "hidden": [8]}, "method": {"name": "subclass"}, "teacher": behind}
    hint = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "logits"}
    found = between(recipe({"name": "mlp", "hidden": [16]}, hint, teacher=assistant), digits)
    assert found is not None and found(torch.zeros(3, 16)).shape == (3, 20)


def test_right_layers_are_not_complained_about(digits: Dataset, recipe: Make) -> None:
    assert list(complaints(recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN), digits)) == []
    assert list(complaints(recipe(), digits)) == []


def test_an_ensemble_has_no_layers(digits: Dataset, recipe: Make) -> None:
    wrong = recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher={"ensemble": [CNN, CNN]})
    assert [path for path, _ in complaints(wrong, digits)] == ["method.hint"]


@pytest.fixture(scope="module")
def fitted(digits: Dataset, recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, DistillationData]:
    """Return a student with hints, and its teacher's lesson."""
    data = digits.take(200, 50, 50)
    wanting = recipe({"name": "mlp", "hidden": [16]}, FITNETS, teacher=CNN, epochs=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KD_CACHE", str(tmp_path_factory.mktemp("cache")))
        *_, taught = teach(wanting, data, requested_outputs([wanting]))
    return wanting, taught.lesson  # type: ignore[union-attr]


def test_the_first_stage_trains_the_guided_layers_alone(fitted: tuple[Recipe, DistillationData]) -> None:
    wanting, lesson = fitted
    fresh = build(wanting.network, lesson.data.shape, 10, wanting.seed).state_dict()
    epochs = fit(wanting, lesson)
    next(epochs)
    weights = {name: value.clone() for name, value in next(epochs).state.weights.items()}
    assert torch.equal(weights["logits.weight"], fresh["logits.weight"])
    assert not torch.equal(weights["linear1.weight"], fresh["linear1.weight"])
    assert not torch.equal(next(epochs).state.weights["logits.weight"], fresh["logits.weight"])


def test_the_optimiser_starts_anew_with_the_second_stage(fitted: tuple[Recipe, DistillationData]) -> None:
    steps = [float(each.state.optimiser["0.step"]) for each in fit(*fitted)]
    assert steps == [3, 6, 3, 6]  # steps of 200 images in batches of 64, counted by Adam


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_training_with_hints_goes_on(
    fitted: tuple[Recipe, DistillationData], run: Callable[..., list[Epoch]], same: Callable, tmp_path: Path, after: int
) -> None:
    whole = run(*fitted)
    for each in fit(*fitted):
        if each.epoch == after:
            checkpoint.save(tmp_path / "state", each.state)
            break
    assert same(run(*fitted, checkpoint.load(tmp_path / "state")), whole[after:])
