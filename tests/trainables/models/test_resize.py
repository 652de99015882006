"""Networks for images of another size than those of the data: `model: {name: resnet50, resize: 224}`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from results.export import model_files
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.cost import count_cost
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.output import forward_with_layers
from trainables.validate import recipe_problems
from trainables.weights import tensor_file
from trainables.weights.initial import load_initial_weights

CNN = {"name": "cnn3", "width": 4}
SHAPE = (3, 20, 24)
IMAGES = torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def made(tree: dict[str, Any], shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> nn.Module:
    return build_network(Model.model_validate(tree), shape, 7, seed).eval()


def resized(images: Tensor, side: int) -> Tensor:
    """By Pillow, each color alone, in floats."""
    planes = [Image.fromarray(plane.numpy()).resize((side, side), Image.Resampling.BILINEAR) for plane in images]
    return torch.stack([torch.from_numpy(np.array(plane)) for plane in planes])


@pytest.mark.parametrize("side", [9, 20, 33])
def test_it_answers_as_a_network_of_that_size_whose_images_pillow_resized(side: int) -> None:
    own, other = made(CNN | {"resize": side}), made(CNN, (3, side, side))
    pixels = torch.stack([resized(image, side) for image in IMAGES.float() / 255])
    torch.testing.assert_close(predict_logits(own, IMAGES), other(pixels).detach(), rtol=1e-4, atol=1e-5)


def test_its_weights_and_its_cost_are_those_of_a_network_of_that_size() -> None:
    own, other = made(CNN | {"resize": 33}), made(CNN, (3, 33, 33))
    assert own.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in own.state_dict().items())
    assert count_cost(own, SHAPE) == count_cost(other, (3, 33, 33)) != count_cost(made(CNN), SHAPE)


def test_weights_of_large_images_start_a_network_of_small_ones(tmp_path: Path) -> None:
    large = made(CNN, (3, 33, 33), seed=9)
    tensor_file.write_tensors(tmp_path / "large.safetensors", dict(large.state_dict()))
    own = made(CNN | {"resize": 33, "weights": str(tmp_path / "large.safetensors")})
    assert load_initial_weights(own)[0].renewed == []
    assert all(torch.equal(value, large.state_dict()[name]) for name, value in own.state_dict().items())


def test_its_layers_are_observed_by_the_same_names() -> None:
    found = forward_with_layers(made(CNN | {"resize": 32}), IMAGES.float() / 255, ["pool1"])
    assert found.features["pool1"].shape == (5, 4, 16, 16)


def test_an_imagenet_stem_on_small_images() -> None:
    own = made({"name": "resnet18", "resize": 64, "normalize": "imagenet"}, (3, 8, 8))
    found = forward_with_layers(own, torch.rand(2, 3, 8, 8), ["layer1"])
    assert found.features["layer1"].shape == (2, 64, 16, 16) and found.logits.shape == (2, 7)


@pytest.mark.parametrize(
    "tree",
    [
        CNN | {"resize": 33},
        CNN | {"resize": 9},
        CNN | {"resize": 33, "subclasses": 2},
        {"name": "ensemble", "members": 2, "of": CNN | {"resize": 16}},
        {"name": "routed", "students": [CNN, CNN | {"resize": 40}]},
    ],
    ids=str,
)
def test_parts_are_resized_each_by_itself_and_exported_with_it(tree: dict[str, Any], tmp_path: Path) -> None:
    network = made(tree)
    (tmp_path / model_files.ONNX).write_bytes(model_files.onnx_bytes(network, SHAPE, []))
    expected = predict_logits(network, IMAGES)
    torch.testing.assert_close(model_files.run_onnx(tmp_path / model_files.ONNX, IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(expected, predict_logits(made(CNN), IMAGES))


def test_no_recipe_changes_its_key_where_nothing_is_resized() -> None:
    plain, same = (Recipe.model_validate({"student": {"model": CNN | more}}) for more in ({}, {"resize": None}))
    assert plain.key() == same.key() != Recipe.model_validate({"student": {"model": CNN | {"resize": 28}}}).key()


def test_a_misspelt_key_is_told() -> None:
    tree = {"student": {"model": CNN | {"resise": 9}}, "teacher": None, "method": {"name": "none"}}
    assert list(recipe_problems(Recipe.model_validate(tree))) == [
        ("student.model.resise", "unknown key; did you mean resize?"),
    ]
