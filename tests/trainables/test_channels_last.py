"""The memory layout changes speed, not results."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables import channels_last
from trainables.models import MODELS

LAST = torch.channels_last


def train_steps(name: str, keep: bool) -> tuple[list[Tensor], list[bool]]:
    """Train three steps; return the weights, and per step if the gradient of the last pooling was channels last."""
    torch.manual_seed(0)
    images, labels = torch.rand(8, 1, 28, 28), torch.randint(0, 10, (8,))
    model = MODELS[name]((1, 28, 28), 10)
    channels_last.to_channels_last(model)
    if keep:
        channels_last.keep_gradients_channels_last(model)
    [*_, pool] = [module for module in model.modules() if isinstance(module, nn.MaxPool2d)]
    seen: list[bool] = []
    pool.register_full_backward_hook(lambda *arguments: seen.append(arguments[2][0].is_contiguous(memory_format=LAST)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    return list(model.parameters()), seen


@pytest.mark.parametrize("name", ["cnn", "cnn3"])
def test_gradients_are_channels_last_with_equal_bits(name: str) -> None:
    weights, as_they_come = train_steps(name, keep=False)
    other_weights, contiguous = train_steps(name, keep=True)
    assert as_they_come == [False] * 3
    assert contiguous == [True] * 3
    assert all(map(torch.equal, weights, other_weights))


class Named(nn.Module):
    """Flatten with a keyword argument, which a hook does not get."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()

    def forward(self, maps: Tensor) -> Tensor:
        return self.flatten(input=maps)


@pytest.mark.parametrize("maps", [torch.rand(2, 4), torch.rand(2, 3, 4, 4), torch.rand(2, 1, 4, 4)])
@pytest.mark.parametrize("last", [nn.Flatten(), Named()])
def test_other_inputs_are_unchanged(maps: Tensor, last: nn.Module) -> None:
    channels_last.keep_gradients_channels_last(last)
    learning = maps.clone().requires_grad_()
    last(learning).square().sum().backward()
    assert learning.grad is not None and torch.equal(learning.grad, 2 * maps)
    assert learning.grad.stride() == maps.stride()
    channels_last.keep_gradients_channels_last(maps_model := nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()))
    with torch.no_grad():  # a hook on the maps would raise
        assert maps_model(torch.rand(2, 1, 4, 4)).shape == (2, 8)
