"""Networks with resized images: `model: {name: resnet50, resize: 224}`."""

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


def seeded_network(tree: dict[str, Any], shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> nn.Module:
    return build_network(Model.model_validate(tree), shape, 7, seed).eval()


def pillow_resized(images: Tensor, side: int) -> Tensor:
    """Resize with Pillow, each color separately, in floats."""
    planes = [Image.fromarray(plane.numpy()).resize((side, side), Image.Resampling.BILINEAR) for plane in images]
    return torch.stack([torch.from_numpy(np.array(plane)) for plane in planes])


@pytest.mark.parametrize("side", [9, 20, 33])
def test_it_equals_a_network_of_that_size_on_images_resized_by_pillow(side: int) -> None:
    resized_network, larger = seeded_network(CNN | {"resize": side}), seeded_network(CNN, (3, side, side))
    pixels = torch.stack([pillow_resized(image, side) for image in IMAGES.float() / 255])
    torch.testing.assert_close(predict_logits(resized_network, IMAGES), larger(pixels).detach(), rtol=1e-4, atol=1e-5)


def test_weights_and_cost_are_those_of_a_network_of_that_size() -> None:
    resized_network, larger = seeded_network(CNN | {"resize": 33}), seeded_network(CNN, (3, 33, 33))
    assert resized_network.state_dict().keys() == larger.state_dict().keys()
    assert all(torch.equal(value, larger.state_dict()[name]) for name, value in resized_network.state_dict().items())
    assert (
        count_cost(resized_network, SHAPE) == count_cost(larger, (3, 33, 33)) != count_cost(seeded_network(CNN), SHAPE)
    )


def test_weights_from_large_images_fit_a_resizing_network(tmp_path: Path) -> None:
    large = seeded_network(CNN, (3, 33, 33), seed=9)
    tensor_file.write_tensors(tmp_path / "large.safetensors", dict(large.state_dict()))
    resized_network = seeded_network(CNN | {"resize": 33, "weights": str(tmp_path / "large.safetensors")})
    assert load_initial_weights(resized_network)[0].renewed == []
    assert all(torch.equal(value, large.state_dict()[name]) for name, value in resized_network.state_dict().items())


def test_layers_keep_their_names() -> None:
    output = forward_with_layers(seeded_network(CNN | {"resize": 32}), IMAGES.float() / 255, ["pool1"])
    assert output.features["pool1"].shape == (5, 4, 16, 16)


def test_an_imagenet_stem_on_small_images() -> None:
    resized_network = seeded_network({"name": "resnet18", "resize": 64, "normalize": "imagenet"}, (3, 8, 8))
    output = forward_with_layers(resized_network, torch.rand(2, 3, 8, 8), ["layer1"])
    assert output.features["layer1"].shape == (2, 64, 16, 16) and output.logits.shape == (2, 7)


@pytest.mark.parametrize(
    "tree",
    [
        CNN | {"resize": 33, "subclasses": 2},
        {"name": "ensemble", "members": 2, "of": CNN | {"resize": 9}},
        {"name": "routed", "students": [CNN, CNN | {"resize": 40}]},
    ],
    ids=str,
)
def test_nested_networks_are_resized_separately_and_exported(tree: dict[str, Any], tmp_path: Path) -> None:
    network = seeded_network(tree)
    (tmp_path / model_files.ONNX).write_bytes(model_files.onnx_bytes(network, SHAPE, []))
    expected = predict_logits(network, IMAGES)
    torch.testing.assert_close(
        model_files.run_onnx(tmp_path / model_files.ONNX, IMAGES), expected, rtol=1e-4, atol=1e-5
    )
    assert not torch.equal(expected, predict_logits(seeded_network(CNN), IMAGES))


def test_without_resizing_the_key_of_a_recipe_is_unchanged() -> None:
    plain, same = (Recipe.model_validate({"student": {"model": CNN | more}}) for more in ({}, {"resize": None}))
    assert plain.key() == same.key() != Recipe.model_validate({"student": {"model": CNN | {"resize": 28}}}).key()


def test_a_misspelled_key_is_a_problem() -> None:
    tree = {"student": {"model": CNN | {"resise": 9}}, "teacher": None, "method": {"name": "none"}}
    assert list(recipe_problems(Recipe.model_validate(tree))) == [
        ("student.model.resise", "unknown key; did you mean resize?"),
    ]
