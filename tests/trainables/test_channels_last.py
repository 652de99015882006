"""A layout changes how fast a step is, never what it computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables import channels_last
from trainables.models import MODELS

LAST = torch.channels_last


def learnt(name: str, keep: bool) -> tuple[list[Tensor], list[bool]]:
    """A network after three steps, and in which of them its last pooling got its gradient with channels last."""
    torch.manual_seed(0)
    images, labels = torch.rand(8, 1, 28, 28), torch.randint(0, 10, (8,))
    model = MODELS[name]((1, 28, 28), 10)
    channels_last.channels_last(model)
    if keep:
        channels_last.back_too(model)
    [*_, pool] = [each for each in model.modules() if isinstance(each, nn.MaxPool2d)]
    seen: list[bool] = []
    pool.register_full_backward_hook(lambda *told: seen.append(told[2][0].is_contiguous(memory_format=LAST)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimiser.step()
    return list(model.parameters()), seen


@pytest.mark.parametrize("name", ["cnn", "cnn3"])
def test_gradients_come_back_with_channels_last_and_the_same_bits(name: str) -> None:
    weights, as_they_come = learnt(name, keep=False)
    others, kept = learnt(name, keep=True)
    assert as_they_come == [False] * 3
    assert kept == [True] * 3
    assert all(map(torch.equal, weights, others))


class Named(nn.Module):
    """Flattens by keyword, as a hook does not see it."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()

    def forward(self, maps: Tensor) -> Tensor:
        return self.flatten(input=maps)


@pytest.mark.parametrize("maps", [torch.rand(2, 4), torch.rand(2, 3, 4, 4), torch.rand(2, 1, 4, 4)])
@pytest.mark.parametrize("last", [nn.Flatten(), Named()])
def test_what_does_not_lie_so_or_does_not_learn_is_left_alone(maps: Tensor, last: nn.Module) -> None:
    channels_last.back_too(last)
    learning = maps.clone().requires_grad_()
    last(learning).square().sum().backward()
    assert learning.grad is not None and torch.equal(learning.grad, 2 * maps)
    assert learning.grad.stride() == maps.stride()
    channels_last.back_too(maps_model := nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()))
    with torch.no_grad():  # where a hook on maps would be an error
        assert maps_model(torch.rand(2, 1, 4, 4)).shape == (2, 8)
