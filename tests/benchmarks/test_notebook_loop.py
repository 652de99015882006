"""The notebook loop on a few generated images, and the memory of processes."""

from __future__ import annotations

import json
import mmap
import os
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import machine, optuna_loop
from benchmarks.notebook_loop import Job, student_network, teacher_network, train_student, train_teacher
from search.trials import teachers


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder in torchvision's layout with a few generated digits: a bright row per class."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, n in (("train", 256), ("t10k", 64)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = np.zeros((n, 28, 28), np.uint8)
        images[np.arange(n), 2 * labels] = 255
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + labels.tobytes())
    return tmp_path


def test_teacher_and_student_are_trained(root: Path) -> None:
    job = Job(str(root), str(root / "teacher.pt"), images=256, batch=32, epochs=3)
    assert train_teacher(job)["seconds"] > 0
    student = train_student(job, 0)
    assert student["seconds"] > 0 and student["accuracy"] > 0.5


def test_the_optuna_loop_trains_each_seed_distilled_and_alone(root: Path, capfd, monkeypatch) -> None:
    job = Job(str(root), str(root / "teacher.pt"), images=256, batch=32, epochs=3, seeds=(0, 1))
    train_teacher(job)
    monkeypatch.setattr("sys.argv", ["optuna_loop", json.dumps(vars(job) | {"workers": 2})])
    optuna_loop.main()
    result = json.loads(capfd.readouterr().out)
    assert len(result["students"]) == 2 and result["wall"] > 0
    assert all(student["accuracy"] > 0.5 and student["seconds"] > 0 for student in result["students"])


def test_the_networks_are_those_of_the_assignment() -> None:
    assert sum(weights.numel() for weights in teacher_network().parameters()) == 1_404_682
    assert sum(weights.numel() for weights in student_network().parameters()) == 1_238_730


def test_touched_memory_is_private() -> None:
    before = machine.private_bytes(os.getpid())
    touched = mmap.mmap(-1, 20 * 2**20)  # torch and malloc may return memory touched before
    touched.write(b"1" * len(touched))
    assert machine.private_bytes(os.getpid()) - before >= 15 * 2**20
    touched.close()


def test_the_product_rate_is_that_of_a_cpu() -> None:
    assert 1e8 < machine.product_rate(torch.float32, 1, repeats=3) < 1e13


def test_names_of_the_watched_processes_exist() -> None:
    assert machine.TEACHER_TASK.removeprefix("ray::") in vars(teachers)
    assert find_spec(machine.WORKER_IMPORTS)
