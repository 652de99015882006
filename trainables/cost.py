"""What a network costs: parameters, and multiply-accumulates and time for one image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import unwrap
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

# As of the optimisers in optim.py: torch wraps this so that its first call imports the compiler.
_MODE: Any = flop_counter._FlopCounterMode
_MODE.__torch_dispatch__ = unwrap(_MODE.__torch_dispatch__)


class Cost(NamedTuple):
    """Number of trainable parameters, and multiply-accumulates of one forward pass of one image."""

    parameters: int
    macs: int


def cost(model: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Count a network's cost on one image of this shape (channels, height, width)."""
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with _plainly(), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape, device=device))
    model.train(training)
    return Cost(parameters, counter.get_total_flops() // 2)


@contextmanager
def _plainly() -> Iterator[None]:
    """Let attention be computed by the products that the counter knows, not by the kernels made of them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@torch.no_grad()
def latency(model: nn.Module, shape: tuple[int, int, int]) -> float:
    """Milliseconds in which a network answers one image of this shape: the quickest of 20, float32, one thread."""
    training, threads = model.training, torch.get_num_threads()
    image = torch.zeros(1, *shape, device=next(model.parameters()).device)
    model.eval()
    torch.set_num_threads(1)
    quickest = min(_seconds(model, image) for _ in range(20))
    torch.set_num_threads(threads)
    model.train(training)
    return 1000 * quickest


def _seconds(model: nn.Module, image: torch.Tensor) -> float:
    began = perf_counter()
    model(image).cpu()  # an accelerator has answered only when its answer is here
    return perf_counter() - began
