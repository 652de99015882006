"""Every network by its name: shapes, sizes and seeds; others are in models/test_timm.py and test_torchscript.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spaces.parts import Model
from trainables.cost import count_cost
from trainables.knobs import knob_schema
from trainables.models import MODELS, build_network
from trainables.models.build import FILE_NETWORKS

SMALL = {"name": "mlp", "hidden": [12], "dropout": 0.5}
NECESSARY: dict[str, dict[str, Any]] = {  # knobs without a default
    "mlp": {"hidden": [12, 8]},
    "ensemble": {"members": 2, "of": SMALL},
    "routed": {"students": [SMALL, {"name": "cnn"}]},
}
NECESSARY |= {name: {"stem": "small"} for name in MODELS if MODELS[name].__module__.endswith(".torchvision_networks")}
DROPPING = ("cnn", "mlp", "ensemble", "routed", "mobilenet_v2", "googlenet", "squeezenet")
MNIST, DIGITS = (1, 28, 28), (1, 8, 8)

every_model = pytest.mark.parametrize("name", sorted(MODELS.keys() - {"timm", "transformers", *FILE_NETWORKS}))


def model(name: str, **knobs: Any) -> Model:
    return Model.model_validate({"name": name} | NECESSARY.get(name, {}) | knobs)


def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
    return build_network(model(name), DIGITS, 10, seed).state_dict()


@every_model
@pytest.mark.parametrize(("shape", "classes"), [(MNIST, 2), ((3, 9, 12), 10)])
def test_one_logit_per_class(name: str, shape: tuple[int, int, int], classes: int) -> None:
    logits = build_network(model(name), shape, classes)(torch.rand(5, *shape))
    assert logits.shape == (5, classes) and logits.isfinite().all()


@every_model
def test_no_network_ends_in_a_softmax(name: str) -> None:
    # The losses apply softmax; a second one would bound the logits.
    logits = build_network(model(name), DIGITS, 10)(torch.rand(5, *DIGITS))
    assert logits.shape == (5, 10) and logits.isfinite().all()
    assert not logits.sum(-1).allclose(torch.ones(5))


@every_model
def test_a_seed_and_no_global_state_determines_the_weights(name: str) -> None:
    first = weights(name, 1)
    torch.manual_seed(99)
    torch.rand(17)
    again, other_seed = weights(name, 1), weights(name, 2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [
        key for key in first if key.endswith("weight") and first[key].ndim > 1
    ]  # not batch norm's, which start at 1
    assert drawn and all(not torch.equal(first[key], other_seed[key]) for key in drawn)


@every_model
def test_the_global_generator_is_unchanged(name: str) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_network(model(name), DIGITS, 10, seed=5)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("name", DROPPING)
def test_dropout_in_training_only(name: str) -> None:
    knobs = {"dropout": 0.5} if "dropout" in knob_schema(MODELS[name]).model_fields else {}  # else its parts have some
    network = build_network(model(name, **knobs), DIGITS, 10)
    images = torch.rand(5, *DIGITS)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("network", "parameters", "macs"),
    [
        # The two readings of the assignment's teacher (28-28-27-27-13 and 28-26-25-23-11), and its student.
        (model("cnn", padding="same"), 1_404_682, 28**2 * 32 * 9 + 27**2 * 64 * 32 * 9 + 13**2 * 64 * 128 + 1280),
        (model("cnn", padding="valid"), 1_011_466, 26**2 * 32 * 9 + 23**2 * 64 * 32 * 9 + 11**2 * 64 * 128 + 1280),
        (model("mlp", hidden=[784, 784]), 1_238_730, 784 * 784 + 784 * 784 + 784 * 10),
        # Hinton et al. 2015, sec. 3: two layers of 1200 and of 800
        (model("mlp", hidden=[1200, 1200]), 2_395_210, 784 * 1200 + 1200 * 1200 + 1200 * 10),
        (model("mlp", hidden=[800, 800]), 1_276_810, 784 * 800 + 800 * 800 + 800 * 10),
    ],
    ids=str,
)
def test_cost_of_the_published_networks(network: Model, parameters: int, macs: int) -> None:
    assert count_cost(build_network(network, MNIST, 10), MNIST) == (parameters, macs)


def test_weights_start_as_in_keras() -> None:
    # Glorot and Bengio 2010, eq. 16: uniform within sqrt(6 / (fan in + fan out)); biases are zero.
    weights_ = build_network(model("mlp", hidden=[784, 784]), MNIST, 10).state_dict()
    assert weights_["linear1.weight"].abs().max() == pytest.approx((6 / 1568) ** 0.5, rel=1e-3)
    assert weights_["logits.weight"].std() == pytest.approx((2 / 794) ** 0.5, rel=0.02)
    assert all(not value.any() for key, value in weights_.items() if key.endswith("bias"))


def test_an_mlp_without_hidden_layers_is_linear() -> None:
    network = build_network(model("mlp", hidden=[]), DIGITS, 10)
    assert count_cost(network, DIGITS) == (64 * 10 + 10, 640)
