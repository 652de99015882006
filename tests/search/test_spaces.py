"""Every shipped space, found wherever it lies: it checks, and it goes the whole way in small."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent
SPACES = sorted((ROOT / "spaces").rglob("*.yaml"))


def search(space: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """`python -m search.run` with caches of its own and no data root."""
    environment = {**os.environ, "KD_CACHE": str(folder / "cache"), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("KD_DATA", None)
    command = [sys.executable, "-m", "search.run", str(space), *flags]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_checks(space, tmp_path):
    done = search(space, tmp_path, "--check")
    assert done.returncode == 0, done.stderr
    assert (
        "epochs" in done.stdout or "a valid space, but" in done.stdout
    )  # where its data is absent it says how to get it
    assert not (tmp_path / "runs").exists()


# Even a smoke test of these takes two cores a minute or more.
LARGE = {
    *("cifar10_multistudent", "cifar10_response", "cifar10_response_scratch", "cifar100_reference", "cifar100_small"),
    *("mhist_transfer", "mnist_teachers", "tiny_imagenet_shufflenet", "tiny_imagenet_squeezenet"),
}


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_smoke(space, tmp_path):
    if space.stem in LARGE and not torch.cuda.is_available():
        pytest.skip("its networks want a GPU")
    began = time.monotonic()
    done = search(space, tmp_path, "--smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 60
    folder = tmp_path / "runs" / f"{space.stem}.smoke"
    assert (folder / "leaderboard.md").is_file() and (folder / "students.csv").is_file()
