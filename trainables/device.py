"""Where a training runs and in which precision."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spaces.recipe import Train


def device() -> torch.device:
    """The GPU that this process was given, otherwise the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def given(gpus: float | None) -> torch.device:
    """The device of a training that gets so much of a GPU; where that is not known, that of this process."""
    return torch.device("cpu") if gpus == 0 else device()


def describe(where: torch.device | None = None) -> str:
    """A device in words, this process's own unless another is named, for the protocol above every table."""
    if (where or device()).type == "cuda":
        return torch.cuda.get_device_name()
    models = [line.split(":", 1)[1].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return models[0] if models else "CPU"


def fastest_precision(where: torch.device | None = None) -> str:
    """bfloat16 where a device, this process's own unless another is named, multiplies it faster than float32."""
    if (where or device()).type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability() >= (8, 0) else "float32"
    return "bfloat16" if _cpu_gains() else "float32"


def _cpu_gains() -> bool:
    """Whether this processor has a matrix unit for bfloat16 (Intel's AMX), that torch's build uses.

    With AVX512's instructions for it alone, a Xeon was seen at half the rate of float32 (2026-11-27, torch 2.13);
    without any, oneDNN emulates it at a thirtieth. Timing it would make recipes depend on how busy a machine is.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512") and "amx_bf16" in _cpuinfo()


@cache  # an unresolved "auto" asks in every step
def _cpuinfo() -> str:
    """What Linux says of the processors; nothing elsewhere."""
    file = Path("/proc/cpuinfo")
    return file.read_text() if file.exists() else ""


def autocast(train: Train, where: torch.device) -> torch.autocast:
    """The context in which a forward pass of this training runs; weights and optimiser stay in float32."""
    precision = fastest_precision(where) if train.precision == "auto" else train.precision
    return torch.autocast(where.type, torch.bfloat16, enabled=precision == "bfloat16")


def tensor(array: np.ndarray, where: torch.device) -> Tensor:
    """An array as a tensor on a device; on the processor it shares the array's memory, which nobody may write to."""
    with warnings.catch_warnings():
        # Arrays from Ray's object store are read-only, and torch warns of each.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(where)
