"""The README's heat map is drawn from the table of its page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]


def test_the_picture_shows_the_table_of_the_page(tmp_path):
    picture = tmp_path / "table.png"
    script, page = ROOT / "docs" / "table_picture.py", ROOT / "docs" / "experiments" / "mnist.md"
    subprocess.run([sys.executable, script, page, "table", picture], cwd=ROOT, check=True, timeout=120)
    with Image.open(picture) as drawn, Image.open(ROOT / "docs" / "mnist_hinton.png") as shown:
        assert drawn.size == shown.size
        size = (shown.width // 8, shown.height // 8)  # letters of another font differ, cells do not
        pixels = zip(*(image.convert("L").resize(size).tobytes() for image in (drawn, shown)), strict=True)
        assert sum(abs(left - right) > 40 for left, right in pixels) < 0.02 * size[0] * size[1]
