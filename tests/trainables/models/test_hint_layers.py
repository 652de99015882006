"""Hint layers in docstrings: they exist, and their outputs are unchanged by later layers."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables.models import MODELS, build_network
from trainables.models.build import FILE_NETWORKS
from trainables.output import forward_with_layers, layer_activations

COLOR_SHAPE = (3, 32, 32)
KNOBS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [12, 8]},
    "ensemble": {"members": 2, "of": {"name": "mlp", "hidden": [12]}},
    "routed": {"students": [{"name": "mlp", "hidden": [12]}, {"name": "cnn"}]},
    "timm": {"arch": "resnetv2_50"},
}
VISION = [name for name in MODELS if MODELS[name].__module__.endswith(".torchvision_networks")]


def hint_layers(name: str) -> list[str]:
    """Return the layers in backquotes in the sentence on hint layers."""
    text = " ".join(inspect.getdoc(MODELS[name]).split())
    (sentence,) = (text for text in re.split(r"\.(?: |$)", text) if "int layers" in text)
    return re.findall(r"`([\w.]+)`", sentence)


def color_network(name: str, **knobs: Any) -> nn.Module:
    return build_network(Model.model_validate({"name": name} | KNOBS.get(name, {}) | knobs), COLOR_SHAPE, 10).eval()


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"transformers", *FILE_NETWORKS}))
def test_the_layers_of_the_docstring_give_tensors(name: str, request: pytest.FixtureRequest) -> None:
    if name == "timm":
        request.getfixturevalue("timm_installed")
    stem = {"stem": "small"} if name in VISION else {}
    model, images = color_network(name, **stem), torch.rand(2, *COLOR_SHAPE)
    output = forward_with_layers(model, images, hint_layers(name))
    assert hint_layers(name) and set(output.features) >= set(hint_layers(name))
    assert all(len(feature) == 2 and feature.ndim >= 2 for feature in output.features.values())
    assert torch.equal(output.logits, model(images))


@pytest.mark.parametrize("knobs", [{"batch_norm": True}, {"stem": "small", "batch_norm": True}], ids=str)
def test_hint_layers_of_vgg_with_batch_norm_are_activations(knobs: dict[str, Any]) -> None:
    with torch.device("meta"):
        model = color_network("vgg16", **knobs)
    assert all(
        isinstance(model.get_submodule(layer), nn.ReLU) for layer in ("features.12", "features.22", "features.32")
    )


@pytest.mark.parametrize("name", VISION)
def test_later_layers_leave_an_observed_layer_unchanged(name: str) -> None:
    # torchvision's activations work in place: an observed tensor could be overwritten by the next layer.
    model, images = color_network(name, stem="small"), torch.rand(2, *COLOR_SHAPE)
    separate = {layer: layer_activations(model, images, [layer])[layer] for layer in hint_layers(name)}
    together = forward_with_layers(model, images, hint_layers(name)).features
    assert all(torch.equal(together[layer], value) for layer, value in separate.items())
