"""One image file as an array of a given size, whatever its format and mode; what is no image is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from spaces.errors import UserError

# Only these decoders are ever asked: Pillow has others, one of which starts another program.
IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # formats in which Pillow's mode I holds 16 bits


def read_image(path: Path, side: int, expected: int | None = None) -> np.ndarray:
    """An upright image in color, uint8 [3, side, side]: its shorter side is resized, then its centre is cut out.

    A UserError names a file that is damaged, too large for Pillow, or not `expected` pixels wide and high.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if expected and image.size != (expected, expected):
                found = " by ".join(map(str, image.size))
                raise UserError(f"{path}: an image of {found} pixels, expected {expected} by {expected}")
            upright = ImageOps.exif_transpose(_to_eight_bits(image))
        # One step from the square in the middle: a long and narrow image is never enlarged as a whole.
        square = ImageOps.fit(_to_rgb(upright), (side, side), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))
    except UserError:
        raise
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise UserError(f"{path}: not a readable image ({str(error) or type(error).__name__})") from None


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """The image itself, or the upper eight of its 16 bits."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode}, expected 8 or 16 bits each")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    # Through RGBA, as Pillow warns of palettes with transparency; what is transparent keeps its color.
    return (image.convert("RGBA") if "transparency" in image.info else image).convert("RGB")
