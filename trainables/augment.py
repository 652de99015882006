"""Changes to whole batches of images: finite, numbered views, the same for a teacher and for every student.

What view v of image i looks like depends on the policy, on v and on i alone, never on the batch it is shown in or on
who shows it. So a teacher's answers to all views can be kept.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, pad

from spaces.recipe import Augment, Policy

# What a view draws a number for; each has a stream of its own, so that one more leaves the others as they were.
DOWN, RIGHT, MIRROR, OVER, ANGLE, SLOPE, BRIGHTNESS, CONTRAST, SATURATION = range(9)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, of red, green and blue


def views(policy: Policy) -> int:
    """How many views each image has: every shift by up to so many pixels both ways, or as many as are asked for."""
    return policy.views if isinstance(policy, Augment) else (2 * policy + 1) ** 2


def name(policy: Policy) -> str:
    """A name for a file of answers; equal names stand for equal views."""
    if isinstance(policy, int):
        return f"shifted-{policy}"
    return f"views-{hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:16]}"


def draw(n: int, policy: Policy, generator: Generator) -> Tensor:
    """A random view for each of n images, [n]."""
    return torch.randint(0, views(policy), (n,), generator=generator)


def show(images: Tensor, policy: Policy, view: Tensor, index: Tensor) -> Tensor:
    """Show images [batch, channels, height, width] in their views [batch]; `index` [batch] are their numbers.

    uint8 images stay uint8, other ones are taken to lie between 0 and 1. What moves in from outside is 0.
    """
    if isinstance(policy, int):
        return shift(images, policy, view)
    shown = images
    if policy.flip != "none":
        shown = _flip(shown, policy, view, index)
    if policy.crop:
        down, right = (_whole(policy, which, 2 * policy.crop + 1, view, index) for which in (DOWN, RIGHT))
        shown = shift(shown, policy.crop, down * (2 * policy.crop + 1) + right)
    if policy.rotate or policy.shear or policy.color:
        most = 255.0 if images.dtype == torch.uint8 else 1.0
        shown = _turn(shown.float(), policy, view, index) if policy.rotate or policy.shear else shown.float()
        shown = _color(shown, policy, most, view, index) if policy.color else shown
        shown = shown.round().to(torch.uint8) if images.dtype == torch.uint8 else shown
    return shown


def shift(images: Tensor, pixels: int, view: Tensor) -> Tensor:
    """Shift each image [batch, channels, height, width] by up to so many pixels; view `views // 2` leaves it."""
    n, _, height, width = images.shape
    where, side = images.device, 2 * pixels + 1
    down, right = (view // side)[:, None].to(where), (view % side)[:, None].to(where)
    rows = (down + torch.arange(height, device=where))[:, None, :, None]
    columns = (right + torch.arange(width, device=where))[:, None, None, :]
    padded = pad(images, (pixels,) * 4)
    each = torch.arange(n, device=where)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=where)[None, :, None, None]
    return padded[each, channels, rows, columns]


def uniform(seed: int, which: int, view: Tensor, index: Tensor) -> Tensor:
    """A number in [0, 1) for each pair of a view and an image, float64 [batch], by a hash: no state, no order."""
    state = torch.zeros_like(index)
    for part in (_signed(seed), which, view.to(index.device), index):
        state = _mixed(state + part)
    return (state >> 11 & (1 << 53) - 1).double() / (1 << 53)


def _mixed(state: Tensor) -> Tensor:
    """The next output of splitmix64 (Steele, Lea and Flood 2014, figure 17) for each state; products wrap around."""
    state = state + _signed(0x9E3779B97F4A7C15)
    for right, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ _right(state, right)) * _signed(factor)
    return state ^ _right(state, 31)


def _right(state: Tensor, bits: int) -> Tensor:
    """A shift to the right that moves zeros in, which torch's own does not for negative numbers."""
    return state >> bits & (1 << 64 - bits) - 1


def _signed(number: int) -> int:
    """The 64 bits of a number as torch knows them, with a sign."""
    number %= 1 << 64
    return number - (1 << 64) if number >> 63 else number


def _whole(policy: Augment, which: int, n: int, view: Tensor, index: Tensor) -> Tensor:
    """A whole number below n for each image, int64 [batch]."""
    return (uniform(policy.seed, which, view, index) * n).long()


def _between(policy: Augment, which: int, most: float, view: Tensor, index: Tensor) -> Tensor:
    """A number from -most to most for each image, float64 [batch]."""
    return (2 * uniform(policy.seed, which, view, index) - 1) * most


def _flip(images: Tensor, policy: Augment, view: Tensor, index: Tensor) -> Tensor:
    """Mirror about half of the images left to right, upside down, or each in both ways."""
    for which, way, axis in ((MIRROR, "horizontal", -1), (OVER, "vertical", -2)):
        if policy.flip in (way, "both"):
            chosen = _whole(policy, which, 2, view, index).bool()[:, None, None, None]
            images = torch.where(chosen, images.flip(axis), images)
    return images


def _turn(images: Tensor, policy: Augment, view: Tensor, index: Tensor) -> Tensor:
    """Rotate float images about their centre, counter-clockwise, and shear them along their rows, bilinear."""
    height, width = images.shape[-2:]
    angle = _between(policy, ANGLE, math.radians(policy.rotate), view, index)
    slope = _between(policy, SLOPE, policy.shear, view, index)
    # Where each pixel comes from, in pixels from the centre; element by element, for the sums of a matrix product
    # depend on the batch, and cosines rounded from float64 do not.
    cos, sin, slope = (each.float()[:, None, None] for each in (angle.cos(), angle.sin(), slope))
    down = (torch.arange(height, device=images.device) - (height - 1) / 2)[None, :, None]
    right = (torch.arange(width, device=images.device) - (width - 1) / 2)[None, None, :]
    straight = right - slope * down
    across, along = cos * straight - sin * down, sin * straight + cos * down
    grid = torch.stack([across * (2 / width), along * (2 / height)], -1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _color(images: Tensor, policy: Augment, most: float, view: Tensor, index: Tensor) -> Tensor:
    """Change brightness, contrast and saturation of float images, in this order; grey ones have no saturation."""
    brightness, contrast, saturation = (
        (1 + _between(policy, which, policy.color, view, index)).float()[:, None, None, None]
        for which in (BRIGHTNESS, CONTRAST, SATURATION)
    )
    images = (images * brightness).clamp(0, most)
    mean = _grey(images).mean((-3, -2, -1), keepdim=True, dtype=torch.float64).float()
    images = (mean + contrast * (images - mean)).clamp(0, most)
    grey = _grey(images)
    return (grey + saturation * (images - grey)).clamp(0, most)


def _grey(images: Tensor) -> Tensor:
    """The brightness of each pixel, [batch, 1, height, width]."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    red, green, blue = images.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
