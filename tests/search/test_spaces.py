"""Every shipped space passes --check and --smoke-test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from search.launch import main

ROOT = Path(__file__).parent.parent.parent
SPACES = sorted((ROOT / "spaces").rglob("*.yaml"))


def search(space: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m search.run` with its own caches and no data root."""
    environment = {**os.environ, "KD_CACHE": str(folder / "cache"), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("KD_DATA", None)
    command = [sys.executable, "-m", "search.run", str(space), *flags]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=540)


@pytest.fixture(autouse=True)
def handler():
    """The command line sets a SIGTERM handler, also in this process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_checks(space, tmp_path, monkeypatch, capsys):
    """In this process, to save the imports; the fewest and smallest steps are timed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("search.plan.estimate.TIMING_SECONDS", 0.0)
    monkeypatch.setattr("search.plan.estimate.MAX_STEP_MACS", 10**7)
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # other tests use the other one
    code, output = main([str(space), "--check"]), capsys.readouterr()
    assert code == 0, output.err
    assert "epochs" in output.out or "a valid space, but" in output.out  # without its data
    assert not (tmp_path / "runs").exists()


# Even a smoke test of these takes two cores a minute or more.
LARGE = {
    *("cifar10_multistudent", "cifar10_response", "cifar10_response_scratch", "cifar100_reference", "cifar100_small"),
    *("mhist_transfer", "mnist_teachers", "tiny_imagenet_shufflenet", "tiny_imagenet_squeezenet"),
}


# Run in small by the tests of the README, and of the tutorial (tests/benchmarks/test_photos.py).
SHOWN = {"mnist_hinton", "mnist_search", "mnist_fitnets", "photos"}


@pytest.mark.slow
@pytest.mark.parametrize("space", [path for path in SPACES if path.stem not in SHOWN], ids=lambda path: path.stem)
def test_smoke(space, tmp_path):
    if space.stem in LARGE and not torch.cuda.is_available():
        pytest.skip("its networks need a GPU")
    done = search(space, tmp_path, "--smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "runs" / f"{space.stem}.smoke"
    assert (folder / "leaderboard.md").is_file() and (folder / "students.csv").is_file()
