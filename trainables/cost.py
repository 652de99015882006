"""Cost of a network: parameters, multiply-accumulates and latency of one image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import unwrap
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from spaces.errors import UserError
from spaces.parts import Model
from trainables.data import Dataset
from trainables.device import module_device
from trainables.models import MODELS, build_without_memory

# torch wraps this method so that its first call imports the compiler; see trainables/optim.py.
_MODE: Any = flop_counter._FlopCounterMode
_MODE.__torch_dispatch__ = unwrap(_MODE.__torch_dispatch__)


class Cost(NamedTuple):
    """Trainable parameters, and multiply-accumulates of a forward pass of one image."""

    parameters: int
    macs: int


def count_cost(model: nn.Module, shape: tuple[int, ...]) -> Cost:
    """Count the cost of a network on one image.

    `shape` is (channels, height, width).
    """
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    parameters += sum(vars(module).get("parameter_count", 0) for module in model.modules())  # outside of torch
    device = module_device(model)
    training = model.training
    model.eval()
    with _countable_attention(), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape, device=device))
    model.train(training)
    return Cost(parameters, counter.get_total_flops() // 2)


@contextmanager
def _countable_attention() -> Iterator[None]:
    """Compute attention by matrix products, for torch's counter, not by fused kernels."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@torch.no_grad()
def measure_latency(model: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the milliseconds of a forward pass of one image.

    It is the fastest of 20 passes, in float32 with one thread.
    """
    training, threads = model.training, torch.get_num_threads()
    image = torch.zeros(1, *shape, device=module_device(model))
    model.eval()
    torch.set_num_threads(1)
    fastest = min(_time_forward(model, image) for _ in range(20))
    torch.set_num_threads(threads)
    model.train(training)
    return 1000 * fastest


def _time_forward(model: nn.Module, image: torch.Tensor) -> float:
    start = perf_counter()
    model(image).cpu()  # waits for a GPU
    return perf_counter() - start


def network_cost(model: Model, data: Dataset) -> Cost:
    """Count the cost of a model for a data set.

    The network is built without memory for its weights. Raises UserError if the model cannot be built for the images.
    """
    return _cached_cost(model.model_dump_json(), MODELS.get(model.name), data.shape, len(data.classes))


@cache  # the students of a search share a few networks
def _cached_cost(model_json: str, _builder: object, shape: tuple[int, ...], classes: int) -> Cost:
    model = Model.model_validate_json(model_json)
    try:
        network = build_without_memory(model, shape, classes)
        with module_device(network):
            return count_cost(network, shape)
    except (RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"model {model.name}: cannot be built for images {list(shape)}: {reason}") from None
