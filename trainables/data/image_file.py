"""Image files of any format, as arrays of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from spaces.errors import UserError

# Only these decoders are used: one of Pillow's others starts another program.
IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # formats for which Pillow's mode I means 16 bits


def read_image(path: Path, side: int, expected: int | None = None) -> np.ndarray:
    """Read an upright color image, uint8 [3, side, side].

    Its shorter side is resized, then its center is cropped. Raises UserError for a file that is damaged, too large for
    Pillow, or not `expected` pixels wide and high.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if expected and image.size != (expected, expected):
                size = " by ".join(map(str, image.size))
                raise UserError(f"{path}: an image of {size} pixels, expected {expected} by {expected}")
            upright = ImageOps.exif_transpose(_to_eight_bits(image))
        # `fit` crops before it resizes: a long and narrow image is never enlarged as a whole.
        square = ImageOps.fit(_to_rgb(upright), (side, side), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))
    except UserError:
        raise
    except Exception as error:  # Pillow raises many types for a damaged file
        raise UserError(f"{path}: not a readable image ({str(error) or type(error).__name__})") from None


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Keep the upper eight of 16 bits."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode}, expected 8 or 16 bits each")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    # By way of RGBA, because Pillow warns of palettes with transparency. Transparent pixels keep their color.
    return (image.convert("RGBA") if "transparency" in image.info else image).convert("RGB")
