"""Normalization of the inputs: `model: {name: mlp, normalize: {mean: [0.3], std: [0.4]}}`."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from spaces.space import load_space
from trainables.data import Dataset
from trainables.models import build_network
from trainables.output import prepare_images
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.validate import data_problems

COLORS = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def seeded_network(channels: int = 3, **tree: Any) -> nn.Module:
    return build_network(Model.model_validate(tree), (channels, 16, 16), 4).eval()


def column(values: list[float]) -> Tensor:
    return torch.tensor(values)[:, None, None]


@pytest.mark.parametrize(
    "tree",
    [
        {"name": "mlp", "hidden": [4]},
        {"name": "cnn"},
        {"name": "plain_cnn"},
        {"name": "resnet18", "stem": "small"},
        {"name": "mlp", "hidden": [4], "subclasses": 2},
        {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [4]}},
    ],
    ids=str,
)
def test_any_network_can_be_normalized(tree: dict[str, Any]) -> None:
    plain, normalized = seeded_network(**tree, normalize="none"), seeded_network(**tree, normalize=COLORS)
    expected = plain((IMAGES - column(COLORS["mean"])) / column(COLORS["std"]))
    torch.testing.assert_close(normalized(IMAGES), expected)
    assert normalized.state_dict().keys() == plain.state_dict().keys()


def test_one_number_is_for_all_channels_and_resizing_comes_first() -> None:
    tree = {"name": "cnn3", "width": 2, "resize": 8}
    plain, normalized = seeded_network(**tree), seeded_network(**tree, normalize={"mean": [0.25], "std": [0.5]})
    torch.testing.assert_close(normalized(IMAGES), plain((IMAGES - 0.25) / 0.5))


def test_an_export_contains_it() -> None:
    network = seeded_network(name="mlp", hidden=[4], normalize=COLORS)
    torch.testing.assert_close(torch.export.export(network, (IMAGES,)).module()(IMAGES), network(IMAGES))


def test_it_is_part_of_the_key_and_can_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "data: {name: digits}\nmethod: {name: none}\nteacher: null\n"
        "student: {model: {name: mlp, hidden: [4], normalize: {choice: [none, {mean: [0.3], std: [0.4]}]}}}\n"
    )
    space = load_space(path)
    recipes = [space.fill(values, 0) for values in space.cells()]
    assert len({recipe.key() for recipe in recipes}) == 2
    assert recipes[1].student.model.normalize.std == [0.4]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{mean: [0.5]}", "expected none, imagenet, cifar, or {mean: [numbers], std: [numbers above 0]}"),
        ("{mean: [0.5], std: [0]}", "std: [numbers above 0]"),
        ("{mean: [0.5, 0.4], std: [0.2]}", "as many of both"),
        ("imagenett", 'found the text "imagenett", expected none, imagenet, cifar'),
    ],
)
def test_wrong_values_are_one_line(tmp_path: Path, value: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"student: {{model: {{name: mlp, hidden: [4], normalize: {value}}}}}\n")
    with pytest.raises(UserError) as caught:
        load_space(path)
    assert f"{path}:1: student.model.normalize: found" in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        ([0.1, 0.2, 0.3], "normalize: found 3 means, expected 1, one for each channel"),
        ([77.8], "found a mean of 77.8, expected 0 to 1: images are divided by 255 before"),
    ],
)
def test_numbers_that_do_not_fit_the_images(
    recipe: Callable[..., Recipe], digits: Dataset, mean: list[float], message: str
) -> None:
    model = {"name": "mlp", "hidden": [4], "normalize": {"mean": mean, "std": [0.5] * len(mean)}}
    assert [text for _, text in data_problems(recipe(model), digits) if message in text]


@pytest.mark.parametrize(
    ("own", "expected"),
    [({}, 0.5), ({"normalize": "imagenet"}, 0.485), ({"normalize": {"mean": [0.3], "std": [0.5]}}, 0.3)],
    ids=str,
)
def test_timm_networks_get_the_statistics_that_timm_publishes(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, Any], expected: float
) -> None:
    monkeypatch.setitem(sys.modules, "timm", timm_stand_in())
    network = seeded_network(name="timm", arch="resnetv2_50", **own)
    assert network.input_mean.flatten()[0].item() == pytest.approx(expected)
    assert seeded_network(channels=1, name="timm", arch="resnetv2_50", **own).input_mean.numel() == 1


def timm_stand_in() -> ModuleType:
    """A module with the parts of timm that are called; CI has no timm."""

    def create_model(arch: str, pretrained: bool, num_classes: int, in_chans: int) -> nn.Module:
        network = nn.Sequential(nn.Flatten(), nn.Linear(in_chans * 16 * 16, num_classes))
        network.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        return network

    library = ModuleType("timm")
    published = SimpleNamespace(fixed_input_size=False)
    library.__dict__.update(
        create_model=create_model, is_model=lambda _: True, get_pretrained_cfg=lambda _: published, list_models=list
    )
    return library


def test_a_teacher_trained_on_normalized_images(
    kd_cache: Path, tmp_path: Path, digits: Dataset, distilled_recipe: Callable[..., Recipe]
) -> None:
    """Case 09: an MLP trained in plain PyTorch on (x/255 − 0.305) / 0.376 has its own accuracy as a teacher."""
    torch.manual_seed(0)
    layers = {"linear1": nn.Linear(64, 32), "relu1": nn.ReLU(), "logits": nn.Linear(32, 10)}
    network = nn.Sequential(OrderedDict({"flatten": nn.Flatten(), **layers}))
    images = [(prepare_images(torch.tensor(split.images)) - 0.305) / 0.376 for split in (digits.train, digits.test)]
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(15):
        for batch in torch.randperm(len(images[0])).split(64):
            optimizer.zero_grad()
            labels = torch.tensor(digits.train.labels)[batch]
            nn.functional.cross_entropy(network(images[0][batch]), labels).backward()
            optimizer.step()
    torch.save(network.state_dict(), tmp_path / "normalized.pth")
    trained = (network(images[1]).argmax(1) == torch.tensor(digits.test.labels)).double().mean().item()

    def accuracy_as_teacher(**normalize: Any) -> float:
        model = {"name": "mlp", "hidden": [32], **normalize}
        (result,) = train_teacher(distilled_recipe(model=model, weights=str(tmp_path / "normalized.pth")), digits)
        assert isinstance(result, TeacherResult)
        return result.record["test_accuracy"]

    assert accuracy_as_teacher(normalize={"mean": [0.305], "std": [0.376]}) == pytest.approx(trained)
    assert accuracy_as_teacher() < trained - 0.01
