"""Image files of any format, as arrays of one size.

Training, verification and serving read images by this file. It needs NumPy and Pillow only, and pillow-heif for HEIC
files: an exported folder holds a copy of it, `read_image.py`.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

# Only these decoders are used: one of Pillow's others starts another program.
IMAGE_FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg",
    ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # formats for which Pillow's mode I means 16 bits
FULL_DEPTH = 16


class UnreadableImageError(ValueError):
    """Error: an image is damaged, too large, or of an unexpected size."""


def read_image(
    path: Path, height: int, width: int, channels: int = 3, depth: int = FULL_DEPTH, expected: int | None = None
) -> np.ndarray:
    """Read an upright image, uint8 [channels, height, width].

    It is resized until it covers this size, then its center is cropped. `channels` is 3 for color or 1 for gray.
    `depth` is the number of bits used by images of 16 bits, of which the upper eight are kept. Raises
    UnreadableImageError for a damaged file, or one that is not `expected` pixels wide and high.
    """
    try:
        with open_image(path) as image:
            if expected and image.size != (expected, expected):
                size = " by ".join(map(str, image.size))
                raise UnreadableImageError(f"an image of {size} pixels, expected {expected} by {expected}")
            upright = _to_channels(_upright_in_eight_bits(image, depth), channels)
        # `fit` crops before it resizes: a long and narrow image is never enlarged as a whole.
        fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(fitted).reshape(height, width, channels).transpose(2, 0, 1))
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow raises many types for a damaged file
        raise UnreadableImageError(f"not a readable image ({str(error) or type(error).__name__})") from None


def open_image(file: Path | BinaryIO) -> Image.Image:
    """Open an image without reading its pixels."""
    return Image.open(file, formats=_available_formats())


def is_sixteen_bit(image: Image.Image) -> bool:
    """Return True for gray levels of 16 bits.

    Colors of 16 bits are reduced to 8 by Pillow.
    """
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS)


@cache
def _available_formats() -> tuple[str, ...]:
    """Return the permitted formats with a decoder on this machine."""
    if find_spec("pillow_heif"):
        import pillow_heif  # optional, for HEIC

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in IMAGE_FORMATS if name in Image.OPEN)


def _upright_in_eight_bits(image: Image.Image, depth: int) -> Image.Image:
    deep = is_sixteen_bit(image)
    if image.mode in ("I", "F") and not deep:
        raise UnreadableImageError(f"not a readable image (pixels of mode {image.mode}, expected 8 or 16 bits each)")
    upright = ImageOps.exif_transpose(image)
    if not deep:
        return upright
    levels = np.asarray(upright) >> (depth - 8)
    return Image.fromarray(np.minimum(levels, 255).astype(np.uint8))


def _to_channels(image: Image.Image, channels: int) -> Image.Image:
    # By way of RGBA, because Pillow warns of palettes with transparency. Transparent pixels keep their color.
    opaque = image.convert("RGBA") if "transparency" in image.info else image
    return opaque.convert("L" if channels == 1 else "RGB")
