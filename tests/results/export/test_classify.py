"""Use of an exported student without PyTorch and without this project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from trainables import data as datasets

EXAMPLE = Path(__file__).parents[3] / "examples" / "classify.py"
TORCH_EXAMPLE = EXAMPLE.with_name("classify_torch.py")
# Packages that cannot be imported.
ABSENT = ("torch", "torchvision", "onnx", "results", "trainables", "spaces", "search", "ray", "pandas")
WITHOUT_PACKAGES = f"""\
import runpy, sys
sys.modules |= dict.fromkeys({ABSENT})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def classify(export: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_PACKAGES, EXAMPLE, export, *files]
    return subprocess.run(command, cwd=files[0].parent, capture_output=True, text=True)


def classify_by_torch(program: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    only_torch = WITHOUT_PACKAGES.replace("'torch', ", "")
    command = [sys.executable, "-c", only_torch, TORCH_EXAMPLE, program, *files]
    return subprocess.run(command, cwd=files[0].parent, capture_output=True, text=True)


@pytest.fixture
def networks(exported, tmp_path) -> Path:
    """A folder with the networks and the reader of images only."""
    (tmp_path / "elsewhere").mkdir()
    for name in ("student.onnx", "student.pt2", "read_image.py"):
        shutil.copy(exported / name, tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_classes_are_those_of_pytorch(networks, trained, reference, tmp_path):
    images = torch.from_numpy(datasets.load_dataset("digits").test.images[:20])
    files = [tmp_path / f"{index}.png" for index in range(len(images))]
    for image, path in zip(images, files, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    done = classify(networks, *files)
    assert (done.returncode, done.stderr) == (0, "")
    logits = reference(trained, images)
    probabilities = logits.softmax(-1).max(-1).values
    expected = [
        f"{path}: {best} ({probability:.1%})"
        for path, best, probability in zip(files, logits.argmax(-1).tolist(), probabilities.tolist(), strict=True)
    ]
    assert done.stdout.splitlines() == expected and len(set(logits.argmax(-1).tolist())) > 4
    assert classify(networks / "student.onnx", *files).stdout == done.stdout
    by_torch = classify_by_torch(networks / "student.pt2", *files)
    assert (by_torch.returncode, by_torch.stdout) == (0, done.stdout), by_torch.stderr


def test_an_image_of_another_size_and_mode_is_fitted(networks, tmp_path):
    small = Image.fromarray(datasets.load_dataset("digits").test.images[3][0])
    large = Image.new("RGB", (96, 64))  # the digit in the middle, black beside it
    large.paste(small.resize((64, 64), Image.Resampling.BOX).convert("RGB"), (16, 0))
    small.save(tmp_path / "small.png")
    large.save(tmp_path / "large.png")
    first, second = classify(networks, tmp_path / "small.png", tmp_path / "large.png").stdout.splitlines()
    label = re.compile(r": (\d) \(")
    assert label.search(first)[1] == label.search(second)[1]


def test_the_example_is_short_and_imports_nothing_else():
    lines = EXAMPLE.read_text().splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import", "from"))}
    assert imported == {"__future__", "json", "sys", "pathlib", "numpy", "onnxruntime", "read_image"}
    assert len(lines) <= 25
