"""Device and precision of a training.

Decision: "Precision is read from processor flags, never timed" (docs/decisions.md).
"""

from __future__ import annotations

import warnings
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spaces.training import Train


def process_device() -> torch.device:
    """Return the GPU of this process, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def module_device(model: nn.Module) -> torch.device:
    """Return the device of a network's tensors.

    Of one without tensors it is the present default device.
    """
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.get_default_device() if tensor is None else tensor.device


def device_for_gpus(gpus: float | None) -> torch.device:
    """Return the device of a training with this share of a GPU.

    None means unknown and gives the device of this process.
    """
    return torch.device("cpu") if gpus == 0 else process_device()


def device_name(device: torch.device | None = None) -> str:
    """Return the product name of a device.

    The default is the device of this process.
    """
    if (device or process_device()).type == "cuda":
        return torch.cuda.get_device_name()
    models = [line.split(":", 1)[1].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return models[0] if models else "CPU"


def fastest_precision(device: torch.device | None = None) -> str:
    """Return "bfloat16" if the device multiplies it faster than float32, else "float32".

    The default is the device of this process.
    """
    if (device or process_device()).type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability() >= (8, 0) else "float32"
    return "bfloat16" if _cpu_has_bfloat16_unit() else "float32"


def _cpu_has_bfloat16_unit() -> bool:
    """Return True if torch uses a bfloat16 matrix unit (Intel AMX).

    With the AVX512 instructions for bfloat16 but no AMX, a Xeon reached half the rate of float32 (2026-11-27, torch
    2.13). Without either, oneDNN emulates bfloat16 at a thirtieth. A timing instead of this test would make recipes
    depend on the load of the machine.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512") and "amx_bf16" in _cpuinfo()


@cache  # precision "auto" reads it in every step
def _cpuinfo() -> str:
    """Return Linux's description of the CPUs; empty on other systems."""
    file = Path("/proc/cpuinfo")
    return file.read_text() if file.exists() else ""


def autocast(train: Train, device: torch.device) -> torch.autocast:
    """Return the autocast context of a training's forward pass.

    Weights and optimizer state stay in float32.
    """
    precision = fastest_precision(device) if train.precision == "auto" else train.precision
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def tensor_dtype(array: np.ndarray) -> torch.dtype:
    """Return the dtype of an array as a tensor."""
    return to_tensor(array[:0], torch.device("cpu")).dtype


def to_tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor on a device.

    On the CPU the tensor shares the array's memory, so it must not be written to.
    """
    with warnings.catch_warnings():
        # Arrays in Ray's object store are read-only; torch warns about each.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
