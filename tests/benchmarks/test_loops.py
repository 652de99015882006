"""The loops that the project is compared to, on a few of MNIST's images, and the memory of processes."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import machine
from benchmarks.loop import Job, one, student, teach, teacher


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in torchvision's layout with a few generated digits: bright rows tell the classes apart."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, n in (("train", 256), ("t10k", 64)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = np.zeros((n, 28, 28), np.uint8)
        images[np.arange(n), 2 * labels] = 255
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + labels.tobytes())
    return tmp_path


def test_a_notebook_teaches_and_distils(root: Path) -> None:
    job = Job(str(root), str(root / "teacher.pt"), images=256, batch=32, epochs=3)
    assert teach(job)["seconds"] > 0
    found = one(job, 0)
    assert found["seconds"] > 0 and found["accuracy"] > 0.5


def test_it_has_the_networks_of_the_assignment() -> None:
    assert sum(each.numel() for each in teacher().parameters()) == 1_404_682
    assert sum(each.numel() for each in student().parameters()) == 1_238_730


def test_memory_that_is_touched_is_private() -> None:
    before = machine.private(os.getpid())
    held = mmap.mmap(-1, 20 * 2**20)  # torch and malloc may give memory that was touched before
    held.write(b"1" * len(held))
    assert machine.private(os.getpid()) - before >= 15 * 2**20
    held.close()


def test_a_rate_is_that_of_a_processor() -> None:
    assert 1e8 < machine.rate(torch.float32, 1, repeats=3) < 1e13
