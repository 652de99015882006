from __future__ import annotations

from time import sleep

import pytest
import torch
from torch import nn

from trainables.cost import cost, latency


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_was(training: bool) -> None:
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    cost(network, (1, 2, 2))
    assert network.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_frozen_parameters_do_not_count() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2))
    network[1].requires_grad_(False)
    assert cost(network, (1, 2, 2)) == (3 * 2 + 2, 4 * 3 + 3 * 2)


def test_nothing_is_computed_on_meta_tensors() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Flatten(), nn.Linear(10**6, 10**5))
    assert cost(network, (1, 1000, 1000)) == (10**11 + 10**5, 10**11)


class Slow(nn.Linear):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training and not torch.is_grad_enabled()
        sleep(0.002)
        return super().forward(images.flatten(1))


def test_latency_is_in_milliseconds_and_leaves_the_model_as_it_was() -> None:
    network = Slow(4, 2).train()
    assert 2 <= latency(network, (1, 2, 2)) < 200
    assert network.training
