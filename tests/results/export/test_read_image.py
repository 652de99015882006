"""The exported reader of image files, compared with the reader of the training."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from results.export import model_files
from trainables.data import load_dataset
from trainables.data.image_cache import ImageLayout, decode_images

SIDE = 32
Y, X = np.mgrid[0:60, 0:80]
COLOR = np.stack([X * 3, Y * 4, (X + Y) * 1.5], -1).clip(0, 255).astype(np.uint8)


def write_kinds(base: Path) -> list[str]:
    """Write 20 kinds of image files, as people have them."""
    color, gray = Image.fromarray(COLOR), Image.fromarray(COLOR).convert("L")
    levels = np.asarray(gray).astype(np.uint16)
    transparent = Image.fromarray(np.dstack([COLOR, ((X > 40) * 255).astype(np.uint8)]))
    images = {
        "rgb.png": color,
        "gray.png": gray,
        "one_bit.png": gray.convert("1"),
        "rgba.png": transparent,
        "la.png": transparent.convert("LA"),
        "palette.png": color.quantize(32),
        "gif.gif": color.quantize(32),
        "gray16.png": Image.fromarray((levels << 8) + 77),
        "gray16.tif": Image.fromarray((levels << 8) + 77),
        "gray12in16.png": Image.fromarray(levels << 4),
        "cmyk.jpg": color.convert("CMYK"),
        "gray.jpg": gray,
        "webp.webp": color,
        "tiny.png": Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)),
        "long.png": Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (3, 8))),
    }
    for name, image in images.items():
        image.save(base / name)
    color.quantize(32).save(base / "palette_transparent.png", transparency=3)
    color.save(base / "color_key.png", transparency=(0, 0, 0))
    for turn in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = turn
        color.save(base / f"exif{turn}.jpg", exif=exif)
    return sorted(path.name for path in base.iterdir())


@pytest.mark.parametrize(("channels", "depth"), [(3, 16), (1, 16), (3, 12)])
def test_served_images_are_those_of_the_training(tmp_path: Path, channels: int, depth: int) -> None:
    """Case 19: six 16-bit pictures once came out as one class."""
    (tmp_path / "f").mkdir()
    names = write_kinds(tmp_path / "f")
    (tmp_path / "read_image.py").write_text(model_files.reader_source(), encoding="utf-8")
    read = runpy.run_path(str(tmp_path / "read_image.py"))["read_image"]
    trained = decode_images(tmp_path / "f", names, ImageLayout(SIDE, channels, depth))
    served = np.stack([read(tmp_path / "f" / name, SIDE, SIDE, channels, depth) for name in names])
    assert len(names) == 20 and trained.shape == (20, channels, SIDE, SIDE) and (served == trained).all()
    deep = [names.index(name) for name in ("gray16.png", "gray16.tif")]
    if depth == 16:  # within 1 of the same picture in 8 bits
        flat = trained[names.index("gray.png")].astype(int)
        assert abs(trained[deep].astype(int) - flat).max() <= 1


def test_twelve_bits_in_files_of_sixteen_keep_their_levels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(10):
            levels = rng.integers(0, 4096, (8, 8)).astype(np.uint16)
            Image.fromarray(levels).save(tmp_path / label / f"{number}.png")
    data = load_dataset("folder", tmp_path, path=".", size=8, channels=1)
    assert data.depth == 12 and data.shape == (1, 8, 8) and len(np.unique(data.train.images)) > 240
    levels = f"20 have gray levels of 16 bits, up to {data_maximum(tmp_path):,}"
    assert f"{levels}; the upper 8 of 12 bits are kept (data.depth)" in data.notes
    sixteen = load_dataset("folder", tmp_path, path=".", size=8, channels=1, depth=16)
    assert (data.train.images >> 4 == sixteen.train.images).all()


def data_maximum(base: Path) -> int:
    return max(int(np.asarray(Image.open(path)).max()) for path in base.glob("*/*.png"))
