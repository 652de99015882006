from __future__ import annotations

from time import sleep

import pytest
import torch
from torch import nn

from trainables.cost import count_cost, measure_latency


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_unchanged(training: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    count_cost(network, (1, 2, 2))
    assert network.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_frozen_parameters_do_not_count() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2))
    network[1].requires_grad_(False)
    assert count_cost(network, (1, 2, 2)) == (3 * 2 + 2, 4 * 3 + 3 * 2)


class Attends(nn.Module):
    """Eight tokens of 16 values through a transformer layer: four heads, 32 hidden units."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1, 2))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_attention_is_counted(device: str) -> None:
    """torch's counter does not see all of its fused kernels."""
    projections, attention, feed = 8 * 4 * 16 * 16, 2 * 8 * 8 * 16, 2 * 8 * 16 * 32
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.device(device):
        assert count_cost(Attends(), (2, 4, 16)).macs == projections + attention + feed
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_nothing_is_computed_on_meta_tensors() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(10**6, 10**5))
    assert count_cost(network, (1, 1000, 1000)) == (10**11 + 10**5, 10**11)


class Slow(nn.Linear):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training and not torch.is_grad_enabled()
        sleep(0.002)
        return super().forward(images.flatten(1))


def test_latency_in_milliseconds() -> None:
    network = Slow(4, 2).train()
    assert 2 <= measure_latency(network, (1, 2, 2)) < 2000  # microseconds would be more
    assert network.training
