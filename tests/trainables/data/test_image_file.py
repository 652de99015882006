"""Image files, compared with torchvision's loader."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trainables.data.image_file import IMAGE_SUFFIXES, UnreadableImageError, read_image

RNG = np.random.default_rng(3)
COLOR = RNG.integers(0, 256, (20, 20, 4), dtype=np.uint8)
KINDS = [("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")] + [
    ("bmp", "RGB"), ("gif", "P"), ("jpg", "L"), ("jpeg", "RGB"), ("jpg", "CMYK"), ("pbm", "1"), ("pgm", "L"),
    ("ppm", "RGB"), ("tif", "CMYK"), ("tiff", "RGB"), ("webp", "RGB"), ("webp", "RGBA"),
    ("jfif", "RGB"), ("jpe", "L"), ("avif", "RGB"), ("heic", "RGB"), ("heif", "RGB"),
]  # fmt: skip


def theirs(path: Path) -> np.ndarray:
    from trainables.models.torchvision_import import torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of palettes with transparency
        return np.asarray(torchvision.datasets.folder.pil_loader(path)).transpose(2, 0, 1)


def depth_image(levels: np.ndarray, path: Path, **options: object) -> Path:
    Image.fromarray(levels.astype(np.uint16)).save(path, **options)
    return path


def save(path: Path, mode: str = "RGB", **options: object) -> Path:
    if path.suffix in (".heic", ".heif"):
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(COLOR).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(("suffix", "mode"), KINDS)
def test_every_mode_gives_the_colors_of_torchvision(tmp_path: Path, suffix: str, mode: str) -> None:
    path = save(tmp_path / f"a.{suffix}", mode)
    image = read_image(path, 20, 20)
    assert image.shape == (3, 20, 20) and image.dtype == np.uint8 and image.flags.c_contiguous
    assert (image == theirs(path)).all()


def test_every_suffix_is_covered() -> None:
    assert {f".{suffix}" for suffix, _ in KINDS} == set(IMAGE_SUFFIXES)


@pytest.mark.parametrize("transparency", [7, bytes(range(256))])
def test_a_palette_with_transparency_gives_no_warning(tmp_path: Path, transparency: int | bytes) -> None:
    path = save(tmp_path / "a.png", "P", transparency=transparency)
    assert (read_image(path, 20, 20) == theirs(path)).all()


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_the_upper_eight_of_sixteen_bits_are_used(tmp_path: Path, suffix: str) -> None:
    deep = RNG.integers(0, 2**16, (20, 20), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    assert (read_image(tmp_path / f"a.{suffix}", 20, 20) == (deep >> 8)[None]).all()


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_the_upper_eight_of_the_used_bits_are_kept(tmp_path: Path, depth: int) -> None:
    levels = RNG.integers(0, 2**depth, (20, 20), dtype=np.uint16)
    path = depth_image(levels, tmp_path / "a.png")
    assert (read_image(path, 20, 20, 1, depth) == levels >> (depth - 8)).all()
    assert (read_image(path, 20, 20, 3, 8) == np.minimum(levels, 255)).all()  # never wraps around


def test_a_deep_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = RNG.integers(0, 2**16, (20, 20), dtype=np.uint16)
    path = depth_image(levels, tmp_path / "a.png", exif=exif)
    assert (read_image(path, 20, 20, 1)[0] == np.rot90(levels >> 8, -1)).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_one_channel_has_the_luma(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "a.png", mode)
    expected = np.asarray(Image.fromarray(theirs(path).transpose(1, 2, 0)).convert("L"))
    assert (read_image(path, 20, 20, 1) == expected[None]).all()


def test_another_height_than_width(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "a.png"), 20, 12).shape == (3, 20, 12)


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    path = save(tmp_path / "a.png", exif=exif)
    assert (read_image(path, 20, 20) == np.rot90(theirs(path), -1, (1, 2))).all()


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((20, 20), gray, np.uint8)) for gray in (50, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif", 20, 20) == 50).all()


@pytest.mark.parametrize(("width", "height"), [(40, 40), (40, 80), (80, 40), (120, 40)])
def test_resize_and_crop_equal_torchvision(tmp_path: Path, width: int, height: int) -> None:
    """Except at the border, where torchvision smooths over pixels that it crops afterwards."""
    from trainables.models.torchvision_import import torchvision

    Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    transforms = torchvision.transforms
    view = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(20)])
    expected = np.asarray(view(Image.open(tmp_path / "a.png"))).transpose(2, 0, 1).astype(int)
    difference = abs(read_image(tmp_path / "a.png", 20, 20) - expected)
    assert difference[:, 1:-1, 1:-1].max() <= 1


def test_a_small_image_is_enlarged(tmp_path: Path) -> None:
    Image.fromarray(np.full((1, 3, 3), 7, np.uint8)).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", 20, 20) == 7).all()


def test_another_size_than_expected_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    assert read_image(path, 10, 10, expected=20).shape == (3, 10, 10)
    with pytest.raises(UnreadableImageError, match=r"^an image of 20 by 20 pixels, expected 64 by 64$"):
        read_image(path, 64, 64, expected=64)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp", "ppm"])
@pytest.mark.parametrize("part", [0, 0.02, 0.3, 0.7])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = save(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with warnings.catch_warnings(), pytest.raises(UnreadableImageError, match=r"^not a readable image"):
        warnings.simplefilter("ignore")
        read_image(path, 20, 20)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["png", "jpg", "bmp", "gif", "tif", "webp", "ppm"]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_an_altered_file_is_an_image_or_a_user_error(
    tmp_path: Path, suffix: str, changes: list[tuple[int, int]]
) -> None:
    path = save(tmp_path / f"a.{suffix}")
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert read_image(path, 20, 20).shape == (3, 20, 20)
    except UnreadableImageError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b"plain words"),
        ("a.jpg", b"<html>Welcome to our hotel</html>"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),  # Pillow would start Ghostscript
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"^not a readable image \(cannot identify image file"):
        read_image(tmp_path / name, 20, 20)


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match=r"pixels of mode F, expected 8 or 16 bits each"):
        read_image(tmp_path / "a.tif", 20, 20)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """100 million pixels, which Pillow only warns of, and 10,000 million, in a file of a few bytes."""
    for side in (10_000, 100_000):
        path = tmp_path / f"{side}.png"
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        with pytest.raises(UnreadableImageError, match=r"^not a readable image \(Image size .* exceeds limit"):
            read_image(path, 20, 20)


def test_a_long_and_narrow_image_is_not_enlarged_as_a_whole(tmp_path: Path) -> None:
    """As a whole it would have 1,000 by 20,000,000 pixels, more than any memory."""
    Image.fromarray(np.full((20_000, 1), 9, np.uint8)).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", 1000, 1000) == 9).all()
