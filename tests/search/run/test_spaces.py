"""Every shipped space passes --check and --smoke-test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
SPACES = sorted((ROOT / "spaces").rglob("*.yaml"))


@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_checks(space, tmp_path, monkeypatch, command):
    """In this process, to save the imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # other tests use the other one
    code, output, error = command(space, "--check")
    assert code == 0, error
    assert "epochs" in output or "a valid space, but" in output  # without its data
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
def test_smoke(space, tmp_path, search_here):
    """All on one Ray. `test_every_command_runs_as_printed` of the README starts some as processes."""
    if space.stem in LARGE and not torch.cuda.is_available():
        pytest.skip("its networks need a GPU")
    done = search_here(space, tmp_path / "run", "--smoke-test")
    assert done.code == 0, done.output
    assert (tmp_path / "run" / "leaderboard.md").is_file() and (tmp_path / "run" / "students.csv").is_file()
