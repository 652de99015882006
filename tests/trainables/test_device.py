from __future__ import annotations

import numpy as np
import pytest
import torch

from spaces.training import Train
from trainables import device

CPU = torch.device("cpu")


@pytest.mark.parametrize(("gains", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_the_fastest_precision(monkeypatch: pytest.MonkeyPatch, gains: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "_cpu_has_bfloat16_unit", lambda: gains)
    assert device.fastest_precision() == expected
    with device.autocast(Train(precision="auto"), CPU):
        assert torch.is_autocast_enabled("cpu") is gains


@pytest.mark.parametrize(
    ("flags", "capability", "gains"),
    [
        ("avx512_bf16 amx_bf16 amx_tile", "AVX512", True),
        ("avx512_bf16", "AVX512", False),  # measured at half the rate of float32
        ("avx2", "AVX2", False),
        ("avx512_bf16 amx_bf16", "AVX2", False),  # ATEN_CPU_CAPABILITY, or a build without
    ],
)
def test_bfloat16_needs_a_matrix_unit(
    monkeypatch: pytest.MonkeyPatch, flags: str, capability: str, gains: bool
) -> None:
    monkeypatch.setattr(device, "_cpuinfo", lambda: f"flags : fpu {flags}")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert device._cpu_has_bfloat16_unit() is gains


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
def test_gpus_since_ampere_use_bfloat16(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert device.fastest_precision() == ("bfloat16" if capability >= (8, 0) else "float32")


@pytest.mark.parametrize("gains", [True, False])
def test_an_explicit_precision_is_used(monkeypatch: pytest.MonkeyPatch, gains: bool) -> None:
    monkeypatch.setattr(device, "fastest_precision", lambda _: "bfloat16" if gains else "float32")
    product = {}
    for precision in ("float32", "bfloat16"):
        with device.autocast(Train.model_validate({"precision": precision}), CPU):
            product[precision] = (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    assert product == {"float32": torch.float32, "bfloat16": torch.bfloat16}


def test_the_device_has_a_name() -> None:
    assert device.device_name().strip()


@pytest.mark.parametrize(("gpus", "name"), [(0, "cpu"), (0.25, "cuda"), (None, "cuda")])
def test_a_training_without_a_gpu_uses_the_cpu(monkeypatch: pytest.MonkeyPatch, gpus: float | None, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(device, "_cpu_has_bfloat16_unit", lambda: False)
    where = device.device_for_gpus(gpus)
    assert where.type == name
    assert device.fastest_precision(where) == {"cpu": "float32", "cuda": "bfloat16"}[name]
    assert (device.device_name(where) == "a card") is (name == "cuda")


def test_a_tensor_shares_the_array_s_memory() -> None:
    array = np.zeros(3, np.float32)
    shared = device.to_tensor(array, CPU)
    array[1] = 7
    assert shared.tolist() == [0, 7, 0]


def test_read_only_arrays_give_no_warning() -> None:
    # Warnings are errors; torch warns about the first such array of a process only.
    array = np.zeros(3, np.float32)
    array.setflags(write=False)
    assert device.to_tensor(array, CPU).tolist() == [0, 0, 0]
