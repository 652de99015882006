"""Somebody else uses an exported student: no PyTorch, nothing of this project, a picture in, a class out."""

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
# Whatever is asked for, these are not there.
ABSENT = ("torch", "torchvision", "onnx", "results", "trainables", "spaces", "search", "ray", "pandas")
ALONE = f"""\
import runpy, sys
sys.modules |= dict.fromkeys({ABSENT})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def classify(folder: Path, *pictures: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", ALONE, EXAMPLE, folder, *pictures]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def alone(exported, tmp_path) -> Path:
    """The ONNX file, and no other, in another place."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(exported / "student.onnx", tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_pictures_get_the_class_that_pytorch_gives_them(alone, trained, reference, tmp_path):
    images = torch.from_numpy(datasets.load("digits").test.images[:20])
    pictures = [tmp_path / f"{place}.png" for place in range(len(images))]
    for image, path in zip(images, pictures, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    done = classify(alone, *pictures)
    assert (done.returncode, done.stderr) == (0, "")
    logits = reference(trained, images)
    chances = logits.softmax(-1).max(-1).values
    expected = [
        f"{path}: {best} ({chance:.1%})"
        for path, best, chance in zip(pictures, logits.argmax(-1).tolist(), chances.tolist(), strict=True)
    ]
    assert done.stdout.splitlines() == expected and len(set(logits.argmax(-1).tolist())) > 4


def test_a_picture_of_another_size_and_mode_is_made_to_fit(alone, tmp_path):
    small = Image.fromarray(datasets.load("digits").test.images[3][0])
    large = Image.new("RGB", (96, 64))  # the digit in the middle, black beside it
    large.paste(small.resize((64, 64), Image.Resampling.BOX).convert("RGB"), (16, 0))
    small.save(tmp_path / "small.png")
    large.save(tmp_path / "large.png")
    first, second = classify(alone, tmp_path / "small.png", tmp_path / "large.png").stdout.splitlines()
    label = re.compile(r": (\d) \(")
    assert label.search(first)[1] == label.search(second)[1]


def test_it_is_short_and_asks_for_nothing_else():
    lines = EXAMPLE.read_text().splitlines()
    found = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import", "from"))}
    assert found == {"__future__", "json", "sys", "pathlib", "numpy", "onnxruntime", "PIL"}
    assert len(lines) <= 25
