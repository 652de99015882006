"""The layers that each network's docstring offers as hints exist, and say what they said when they were reached."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables.models import MODELS, build_network
from trainables.output import layer_activations, forward_with_layers

COLOUR = (3, 32, 32)
PLAIN: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [12, 8]},
    "ensemble": {"members": 2, "of": {"name": "mlp", "hidden": [12]}},
    "routed": {"students": [{"name": "mlp", "hidden": [12]}, {"name": "cnn"}]},
    "timm": {"arch": "resnetv2_50"},
}
VISION = [name for name in MODELS if MODELS[name].__module__.endswith(".torchvision_networks")]


def hints(name: str) -> list[str]:
    """The layers that the sentence on hint layers names in backquotes."""
    text = " ".join(inspect.getdoc(MODELS[name]).split())
    (sentence,) = (each for each in re.split(r"\.(?: |$)", text) if "int layers" in each)
    return re.findall(r"`([\w.]+)`", sentence)


def network(name: str, **knobs: Any) -> nn.Module:
    return build_network(Model.model_validate({"name": name} | PLAIN.get(name, {}) | knobs), COLOUR, 10).eval()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_layers_of_the_docstring_give_tensors(name: str) -> None:
    if name == "timm":
        pytest.importorskip("timm")
    small = {"stem": "small"} if name in VISION else {}
    model, images = network(name, **small), torch.rand(2, *COLOUR)
    found = forward_with_layers(model, images, hints(name))
    assert hints(name) and set(found.features) >= set(hints(name))
    assert all(len(feature) == 2 and feature.ndim >= 2 for feature in found.features.values())
    assert torch.equal(found.logits, model(images))


@pytest.mark.parametrize("knobs", [{"batch_norm": True}, {"stem": "small", "batch_norm": True}], ids=str)
def test_those_of_vgg_with_batch_norm_are_its_activations(knobs: dict[str, Any]) -> None:
    with torch.device("meta"):
        model = network("vgg16", **knobs)
    assert all(isinstance(model.get_submodule(each), nn.ReLU) for each in ("features.12", "features.22", "features.32"))


@pytest.mark.parametrize("name", VISION)
def test_nothing_behind_a_layer_changes_what_it_said(name: str) -> None:
    # torchvision's activations work in place: elsewhere a layer that is observed may hold what the next one made of it.
    model, images = network(name, stem="small"), torch.rand(2, *COLOUR)
    alone = {each: layer_activations(model, images, [each])[each] for each in hints(name)}
    whole = forward_with_layers(model, images, hints(name)).features
    assert all(torch.equal(whole[each], value) for each, value in alone.items())
