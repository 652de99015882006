"""Augmentation as numbered views, equal for a teacher and all students.

A view of an image depends on the policy, the view number and the image number only, not on the batch or the worker.
The number of views is finite, so a teacher's logits for all of them can be computed once and cached.

Decision: "Every random change of an image is a numbered view" (docs/decisions.md).
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, pad

from spaces.training import Augment, AugmentPolicy

# One random stream per use, so that a new use leaves the numbers of the others unchanged.
DOWN, RIGHT, HORIZONTAL_FLIP, VERTICAL_FLIP, ANGLE, SHEAR, BRIGHTNESS, CONTRAST, SATURATION = range(9)
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def view_count(policy: AugmentPolicy) -> int:
    """Return the number of views of each image."""
    return policy.views if isinstance(policy, Augment) else (2 * policy + 1) ** 2


def policy_name(policy: AugmentPolicy) -> str:
    """Return a file name for a policy; equal names mean equal views."""
    if isinstance(policy, int):
        return f"shifted-{policy}"
    return f"views-{hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:16]}"


def draw_views(n: int, policy: AugmentPolicy, generator: Generator) -> Tensor:
    """Return random view numbers for n images, [n]."""
    return torch.randint(0, view_count(policy), (n,), generator=generator)


def apply_views(images: Tensor, policy: AugmentPolicy, view: Tensor, index: Tensor) -> Tensor:
    """Return images [batch, channels, height, width] augmented to their views.

    `view` [batch] are view numbers, `index` [batch] are image numbers. uint8 images stay uint8; float images must lie
    between 0 and 1. Pixels from outside the image are 0.
    """
    if isinstance(policy, int):
        return shift_images(images, policy, view)
    result = images
    if policy.flip != "none":
        result = _flip_images(result, policy, view, index)
    if policy.crop:
        down, right = (_random_int(policy, stream, 2 * policy.crop + 1, view, index) for stream in (DOWN, RIGHT))
        result = shift_images(result, policy.crop, down * (2 * policy.crop + 1) + right)
    if policy.rotate or policy.shear or policy.color:
        white = 255.0 if images.dtype == torch.uint8 else 1.0
        result = result.float()
        if policy.rotate or policy.shear:
            result = _rotate_and_shear(result, policy, view, index)
        if policy.color:
            result = _change_colors(result, policy, white, view, index)
        result = result.round().to(torch.uint8) if images.dtype == torch.uint8 else result
    return result


def shift_images(images: Tensor, pixels: int, view: Tensor) -> Tensor:
    """Shift each image [batch, channels, height, width] by up to `pixels`.

    With side = 2 · pixels + 1, view v shows the window that lies v // side − pixels rows down and v % side − pixels
    columns right. View side² // 2 is the image itself.
    """
    n, channels, height, width = images.shape
    device, side = images.device, 2 * pixels + 1
    down, right = (view // side)[:, None].to(device), (view % side)[:, None].to(device)
    rows = (down + torch.arange(height, device=device))[:, None, :, None]
    columns = (right + torch.arange(width, device=device))[:, None, None, :]
    image = torch.arange(n, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[None, :, None, None]
    return pad(images, (pixels,) * 4)[image, channel, rows, columns]


def hashed_uniform(seed: int, stream: int, view: Tensor, index: Tensor) -> Tensor:
    """Return a number in [0, 1) per view and image, float64 [batch].

    It is a hash of its arguments, so it needs no generator state and no order.
    """
    state = torch.zeros_like(index)
    for part in (_to_int64(seed), stream, view.to(index.device), index):
        state = _splitmix64(state + part)
    return (state >> 11 & (1 << 53) - 1).double() / (1 << 53)


def _splitmix64(state: Tensor) -> Tensor:
    """Return the next splitmix64 output (Steele, Lea and Flood 2014, figure 17)."""
    state = state + _to_int64(0x9E3779B97F4A7C15)  # int64 arithmetic wraps around, as uint64 would
    for bits, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ _logical_right_shift(state, bits)) * _to_int64(factor)
    return state ^ _logical_right_shift(state, 31)


def _logical_right_shift(state: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros; torch fills with the sign bit."""
    return state >> bits & (1 << 64 - bits) - 1


def _to_int64(number: int) -> int:
    """Return the low 64 bits as a signed number."""
    number %= 1 << 64
    return number - (1 << 64) if number >> 63 else number


def _random_int(policy: Augment, stream: int, n: int, view: Tensor, index: Tensor) -> Tensor:
    """Return an integer below n per image, int64 [batch]."""
    return (hashed_uniform(policy.seed, stream, view, index) * n).long()


def _random_between(policy: Augment, stream: int, limit: float, view: Tensor, index: Tensor) -> Tensor:
    """Return a number from -limit to limit per image, float64 [batch]."""
    return (2 * hashed_uniform(policy.seed, stream, view, index) - 1) * limit


def _flip_images(images: Tensor, policy: Augment, view: Tensor, index: Tensor) -> Tensor:
    """Flip about half of the images along each axis of the policy."""
    for stream, direction, axis in ((HORIZONTAL_FLIP, "horizontal", -1), (VERTICAL_FLIP, "vertical", -2)):
        if policy.flip in (direction, "both"):
            flipped = _random_int(policy, stream, 2, view, index).bool()[:, None, None, None]
            images = torch.where(flipped, images.flip(axis), images)
    return images


def _rotate_and_shear(images: Tensor, policy: Augment, view: Tensor, index: Tensor) -> Tensor:
    """Rotate float images counter-clockwise and shear them along their rows, bilinear."""
    height, width = images.shape[-2:]
    angle = _random_between(policy, ANGLE, math.radians(policy.rotate), view, index)
    shear = _random_between(policy, SHEAR, policy.shear, view, index)
    # Source coordinates in pixels from the center. Element by element, because the sums of a matrix product depend on
    # the batch; cosines are rounded from float64 for the same reason.
    cos, sin, shear = (values.float()[:, None, None] for values in (angle.cos(), angle.sin(), shear))
    down = (torch.arange(height, device=images.device) - (height - 1) / 2)[None, :, None]
    right = (torch.arange(width, device=images.device) - (width - 1) / 2)[None, None, :]
    unsheared = right - shear * down
    x, y = cos * unsheared - sin * down, sin * unsheared + cos * down
    grid = torch.stack([x * (2 / width), y * (2 / height)], -1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _change_colors(images: Tensor, policy: Augment, white: float, view: Tensor, index: Tensor) -> Tensor:
    """Change brightness, then contrast, then saturation of float images."""
    brightness, contrast, saturation = (
        (1 + _random_between(policy, stream, policy.color, view, index)).float()[:, None, None, None]
        for stream in (BRIGHTNESS, CONTRAST, SATURATION)
    )
    images = (images * brightness).clamp(0, white)
    mean = _to_gray(images).mean((-3, -2, -1), keepdim=True, dtype=torch.float64).float()
    images = (mean + contrast * (images - mean)).clamp(0, white)
    gray = _to_gray(images)
    return (gray + saturation * (images - gray)).clamp(0, white)


def _to_gray(images: Tensor) -> Tensor:
    """Return the luma of each pixel, [batch, 1, height, width]."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    red, green, blue = images.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
