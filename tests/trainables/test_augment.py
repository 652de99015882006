from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spaces.training import Augment
from trainables import augment
from trainables.augment import apply_views, draw_views, hashed_uniform, policy_name, shift_images, view_count
from trainables.models.torchvision_import import torchvision

functional = torchvision.transforms.v2.functional
BILINEAR = torchvision.transforms.InterpolationMode.BILINEAR

IMAGES = torch.randint(1, 256, (40, 2, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def shifted(pixels: int, seed: int = 0) -> torch.Tensor:
    return shift_images(IMAGES, pixels, draw_views(len(IMAGES), pixels, torch.Generator().manual_seed(seed)))


def shifts(image: np.ndarray, shifted: np.ndarray, pixels: int) -> list[tuple[int, int]]:
    """Return all shifts (down, right) from one image to the other, up to `pixels`."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (pixels, pixels), (pixels, pixels)))
    reach = range(2 * pixels + 1)
    moved = {(pixels - y, pixels - x): padded[:, y : y + height, x : x + width] for y in reach for x in reach}
    return [shift for shift, result in moved.items() if np.array_equal(result, shifted)]


@given(pixels=st.integers(0, 3), seed=st.integers(0, 99))
def test_shifts_are_at_most_the_limit(pixels: int, seed: int) -> None:
    images = shifted(pixels, seed)
    assert images.dtype == torch.uint8 and images.shape == IMAGES.shape
    for image, moved in zip(IMAGES.numpy(), images.numpy(), strict=True):
        assert len(shifts(image, moved, pixels)) == 1  # one shift for all channels


def test_images_shift_independently_in_all_directions() -> None:
    pairs = [pair for seed in range(4) for pair in zip(IMAGES.numpy(), shifted(1, seed).numpy(), strict=True)]
    seen = {shifts(image, moved, 1)[0] for image, moved in pairs}
    assert seen == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_a_generator_determines_the_shifts() -> None:
    assert torch.equal(shifted(2, seed=1), shifted(2, seed=1))
    assert not torch.equal(shifted(2, seed=1), shifted(2, seed=2))


def test_input_is_unchanged() -> None:
    before = IMAGES.clone()
    shifted(2)
    assert torch.equal(IMAGES, before)


def test_every_shift_is_one_view() -> None:
    image = IMAGES[:1]
    images_by_view = [shift_images(image, 2, torch.tensor([view])) for view in range(view_count(2))]
    assert view_count(2) == 25 and len({view.numpy().tobytes() for view in images_by_view}) == 25
    assert torch.equal(images_by_view[view_count(2) // 2], image)
    assert view_count(0) == 1 and torch.equal(shift_images(image, 0, torch.tensor([0])), image)


ALL = Augment(crop=2, flip="both", rotate=15.0, shear=0.1, color=0.3)
PHOTOS = torch.randint(0, 256, (30, 3, 9, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
NUMBERS = torch.arange(len(PHOTOS))


def augmented(policy: Augment, view: int, images: Tensor = PHOTOS, index: Tensor = NUMBERS) -> Tensor:
    return apply_views(images, policy, torch.full_like(index, view), index)


def splitmix(state: int) -> int:
    """Steele, Lea and Flood (2014), figure 17, with Python integers."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


@given(seed=st.integers(0, 2**64), stream=st.integers(0, 8), view=st.integers(0, 2**20), image=st.integers(0, 2**31))
def test_hash_equals_splitmix64(seed: int, stream: int, view: int, image: int) -> None:
    state = 0
    for part in (seed, stream, view, image):
        state = splitmix((state + part) % 2**64)
    assert hashed_uniform(seed, stream, torch.tensor([view]), torch.tensor([image])).item() == (state >> 11) / 2**53


def test_hashed_numbers_are_uniform_and_uncorrelated() -> None:
    view, image = torch.arange(20).repeat_interleave(500), torch.arange(500).repeat(20)
    streams = torch.stack([hashed_uniform(seed, stream, view, image) for seed in (0, 1) for stream in (0, 1)])
    assert len(streams.unique()) == streams.numel() and (streams >= 0).all() and (streams < 1).all()
    for stream in streams:  # within four standard deviations
        assert abs(stream.mean() - 0.5) < 4 / math.sqrt(12 * 10_000)
        assert abs(stream.var() - 1 / 12) < 4 / math.sqrt(180 * 10_000)
    assert (torch.corrcoef(streams) - torch.eye(4)).abs().max() < 4 / math.sqrt(10_000)


@settings(max_examples=30)
@given(st.data())
def test_a_view_is_the_same_in_any_batch_and_order(data: st.DataObject) -> None:
    indices = torch.tensor(data.draw(st.lists(st.integers(0, 29), min_size=1, max_size=40)))
    view = torch.tensor(data.draw(st.lists(st.integers(0, 15), min_size=len(indices), max_size=len(indices))))
    all_views = torch.stack([augmented(ALL, number) for number in range(16)])
    assert torch.equal(apply_views(PHOTOS[indices], ALL, view, indices), all_views[view, indices])


def test_views_differ_from_each_other_and_by_seed() -> None:
    views = [augmented(policy, view) for policy in (ALL, ALL.model_copy(update={"seed": 1})) for view in range(3)]
    for i in range(len(views)):
        for j in range(i):
            assert not any(torch.equal(a, b) for a, b in zip(views[i], views[j], strict=True))
    assert view_count(ALL) == 16 and set(draw_views(999, ALL, torch.Generator().manual_seed(0)).tolist()) == set(
        range(16)
    )


def test_streams_are_independent() -> None:
    angles = [
        augment._random_between(policy, augment.ANGLE, 1.0, NUMBERS, NUMBERS) for policy in (ALL, Augment(rotate=1.0))
    ]
    assert torch.equal(*angles)


@pytest.mark.parametrize("knobs", [{"crop": 2}, {"flip": "both"}, {"rotate": 9.0}, {"shear": 0.2}, {"color": 0.2}])
def test_type_and_shape_are_kept(knobs: dict[str, Any]) -> None:
    before, floats = PHOTOS.clone(), PHOTOS / 255
    result = augmented(Augment(**knobs), 0)
    assert result.dtype == torch.uint8 and result.shape == PHOTOS.shape and not torch.equal(result, PHOTOS)
    assert torch.equal(PHOTOS, before)
    again = augmented(Augment(**knobs), 0, floats)
    assert again.dtype == torch.float32 and (again * 255 - result).abs().max() <= 0.501  # rounded once


@pytest.mark.parametrize("knob", ["crop", "rotate", "shear", "color"])
def test_amount_0_changes_nothing(knob: str) -> None:
    assert torch.equal(augmented(Augment(**{knob: 0}), 3), PHOTOS)


@pytest.mark.parametrize(
    ("flip", "axes"), [("horizontal", [(-1,)]), ("vertical", [(-2,)]), ("both", [(-1,), (-2,), (-1, -2)])]
)
def test_flips_mirror_about_half(flip: Any, axes: list[tuple[int, ...]]) -> None:
    views = [augmented(Augment(flip=flip), view) for view in range(8)]
    kinds = [(), *axes]
    seen = [
        kind
        for images in views
        for a, b in zip(images, PHOTOS, strict=True)
        for kind in kinds
        if torch.equal(a, b.flip(kind))
    ]
    assert len(seen) == 8 * len(PHOTOS)
    for kind in kinds:
        assert abs(seen.count(kind) / len(seen) - 1 / len(kinds)) < 0.12


def test_crops_are_shifts_both_ways() -> None:
    pairs = [
        pair
        for view in range(20)
        for pair in zip(IMAGES.numpy(), augmented(Augment(crop=1), view, IMAGES, torch.arange(40)).numpy(), strict=True)
    ]
    assert {shifts(image, moved, 1)[0] for image, moved in pairs} == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_rotations_and_shears_are_torchvisions() -> None:
    images, view = PHOTOS / 255, torch.full_like(NUMBERS, 5)
    turned, sheared = augmented(Augment(rotate=40.0), 5, images), augmented(Augment(shear=0.4), 5, images)
    angles = augment._random_between(Augment(rotate=40.0), augment.ANGLE, 40.0, view, NUMBERS)
    slopes = augment._random_between(Augment(shear=0.4), augment.SHEAR, 0.4, view, NUMBERS)
    for n, image in enumerate(images):
        rotated = functional.rotate(image, angles[n].item(), BILINEAR)
        torch.testing.assert_close(turned[n], rotated, rtol=0, atol=1e-5)
        slope = [-math.degrees(math.atan(slopes[n])), 0.0]
        expected = functional.affine(image, 0.0, [0, 0], 1.0, slope, BILINEAR)
        torch.testing.assert_close(sheared[n], expected, rtol=0, atol=1e-5)


def test_colors_are_torchvisions() -> None:
    policy, images, view = Augment(color=0.5), PHOTOS / 255, torch.full_like(NUMBERS, 2)
    result = augmented(policy, 2, images)
    kinds = (augment.BRIGHTNESS, augment.CONTRAST, augment.SATURATION)
    factors = [1 + augment._random_between(policy, kind, 0.5, view, NUMBERS) for kind in kinds]
    for n, image in enumerate(images):
        expected = functional.adjust_brightness(image, factors[0][n].item())
        expected = functional.adjust_contrast(expected, factors[1][n].item())
        expected = functional.adjust_saturation(expected, factors[2][n].item())
        torch.testing.assert_close(result[n], expected, rtol=0, atol=2e-4)  # torchvision rounds the luma weights


def test_gray_images_have_no_saturation() -> None:
    gray = PHOTOS[:, :1]
    three = augmented(Augment(color=0.4), 1, gray.expand(-1, 3, -1, -1) / 255)
    torch.testing.assert_close(augmented(Augment(color=0.4), 1, gray / 255).expand(-1, 3, -1, -1), three)


def test_equal_policies_have_one_name() -> None:
    assert policy_name(ALL) == policy_name(Augment.model_validate(ALL.model_dump())) and policy_name(2) == "shifted-2"
    policies = [ALL.model_copy(update={key: value}) for key, value in {"views": 8, "crop": 1, "seed": 1}.items()]
    assert len({policy_name(policy) for policy in (ALL, *policies)}) == 4
