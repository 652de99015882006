"""Outputs of a network for a whole split."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables import evaluate
from trainables.evaluate import evaluation_batch_size, predict_logits
from trainables.models import build_network


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


IMAGES = torch.randint(0, 256, (25, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [1, 7, 24, 25, 1000])
def test_logits_do_not_depend_on_the_batch(network: nn.Module, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    expected = network.eval()(IMAGES.float() / 255)
    monkeypatch.setattr(evaluate, "EVALUATION_BATCH", batch)
    torch.testing.assert_close(predict_logits(network, IMAGES), expected)


@pytest.mark.parametrize(("side", "images"), [(8, 1000), (28, 1000), (32, 1000), (64, 1000), (96, 444), (224, 81)])
def test_smaller_batches_of_large_images(side: int, images: int) -> None:
    """The batch size decides the last bits of published results."""
    assert evaluation_batch_size(nn.Identity(), (3, side, side)) == images
    resized = Model.model_validate({"name": "mlp", "hidden": [4], "resize": side})
    assert evaluation_batch_size(build_network(resized, (1, 8, 8), 10), (1, 8, 8)) == images
    inside = Model.model_validate({"name": "ensemble", "members": 2, "of": resized.model_dump(exclude_none=True)})
    assert evaluation_batch_size(build_network(inside, (1, 8, 8), 10), (1, 8, 8)) == images


def test_batches_of_one_for_the_largest_images() -> None:
    class CountingNetwork(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            batches.append(len(images))
            return images.mean((2, 3))

    batches: list[int] = []
    large = torch.zeros(1, 3, 1, 1, dtype=torch.uint8).expand(3, 3, 2000, 2000)
    assert predict_logits(CountingNetwork(), torch.zeros(2, 3, 4000, 1, dtype=torch.uint8)).shape == (2, 3)
    assert predict_logits(CountingNetwork(), large).shape == (3, 3)
    assert batches == [2, 1, 1, 1]


@pytest.mark.parametrize("training", [True, False])
def test_model_is_unchanged(network: nn.Module, training: bool) -> None:
    network.train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = predict_logits(network, IMAGES)
    assert torch.equal(first, predict_logits(network, IMAGES))  # dropout is off
    assert network.training is training and not first.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_logits_are_float32(network: nn.Module) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert predict_logits(network, IMAGES).dtype == torch.float32
