from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spaces.recipe import Augment
from trainables import augment
from trainables.augment import draw, name, shift, show, uniform, views
from trainables.models.torchvision_import import torchvision

functional = torchvision.transforms.v2.functional
BILINEAR = torchvision.transforms.InterpolationMode.BILINEAR

IMAGES = torch.randint(1, 256, (40, 2, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def shifted(pixels: int, seed: int = 0) -> torch.Tensor:
    return shift(IMAGES, pixels, draw(len(IMAGES), pixels, torch.Generator().manual_seed(seed)))


def shifts(image: np.ndarray, shifted: np.ndarray, pixels: int) -> list[tuple[int, int]]:
    """All shifts (down, right) by at most so many pixels that turn one image into the other, zeros moving in."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (pixels, pixels), (pixels, pixels)))
    reach = range(2 * pixels + 1)
    moved = {(pixels - y, pixels - x): padded[:, y : y + height, x : x + width] for y in reach for x in reach}
    return [shift for shift, each in moved.items() if np.array_equal(each, shifted)]


@settings(deadline=None)
@given(pixels=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_image_is_itself_shifted_by_so_many_pixels_at_most(pixels: int, seed: int) -> None:
    found = shifted(pixels, seed)
    assert found.dtype == torch.uint8 and found.shape == IMAGES.shape
    for image, moved in zip(IMAGES.numpy(), found.numpy(), strict=True):
        assert len(shifts(image, moved, pixels)) == 1  # all channels by the same


def test_images_move_apart_and_both_ways() -> None:
    pairs = [pair for seed in range(4) for pair in zip(IMAGES.numpy(), shifted(1, seed).numpy(), strict=True)]
    found = {shifts(image, moved, 1)[0] for image, moved in pairs}
    assert found == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_a_generator_determines_the_shifts() -> None:
    assert torch.equal(shifted(2, seed=1), shifted(2, seed=1))
    assert not torch.equal(shifted(2, seed=1), shifted(2, seed=2))


def test_images_are_left_alone() -> None:
    before = IMAGES.clone()
    shifted(2)
    assert torch.equal(IMAGES, before)


def test_every_shift_is_one_view() -> None:
    image = IMAGES[:1]
    found = [shift(image, 2, torch.tensor([view])) for view in range(views(2))]
    assert views(2) == 25 and len({each.numpy().tobytes() for each in found}) == 25
    assert torch.equal(found[views(2) // 2], image)
    assert views(0) == 1 and torch.equal(shift(image, 0, torch.tensor([0])), image)


ALL = Augment(crop=2, flip="both", rotate=15.0, shear=0.1, color=0.3)
PHOTOS = torch.randint(0, 256, (30, 3, 9, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
NUMBERS = torch.arange(len(PHOTOS))


def shown(policy: Augment, view: int, images: Tensor = PHOTOS, index: Tensor = NUMBERS) -> Tensor:
    return show(images, policy, torch.full_like(index, view), index)


def splitmix(state: int) -> int:
    """Steele, Lea and Flood (2014), figure 17, in Python's own integers."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


@given(seed=st.integers(0, 2**64), which=st.integers(0, 8), view=st.integers(0, 2**20), image=st.integers(0, 2**31))
def test_the_hash_is_that_of_whole_numbers(seed: int, which: int, view: int, image: int) -> None:
    state = 0
    for part in (seed, which, view, image):
        state = splitmix((state + part) % 2**64)
    assert uniform(seed, which, torch.tensor([view]), torch.tensor([image])).item() == (state >> 11) / 2**53


def test_numbers_are_uniform_and_apart() -> None:
    view, image = torch.arange(20).repeat_interleave(500), torch.arange(500).repeat(20)
    streams = torch.stack([uniform(seed, which, view, image) for seed in (0, 1) for which in (0, 1)])
    assert len(streams.unique()) == streams.numel() and (streams >= 0).all() and (streams < 1).all()
    for stream in streams:  # four deviations
        assert abs(stream.mean() - 0.5) < 4 / math.sqrt(12 * 10_000)
        assert abs(stream.var() - 1 / 12) < 4 / math.sqrt(180 * 10_000)
    assert (torch.corrcoef(streams) - torch.eye(4)).abs().max() < 4 / math.sqrt(10_000)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_view_is_the_same_in_any_batch_and_order(data: st.DataObject) -> None:
    some = torch.tensor(data.draw(st.lists(st.integers(0, 29), min_size=1, max_size=40)))
    view = torch.tensor(data.draw(st.lists(st.integers(0, 15), min_size=len(some), max_size=len(some))))
    whole = torch.stack([shown(ALL, each) for each in range(16)])
    assert torch.equal(show(PHOTOS[some], ALL, view, some), whole[view, some])


def test_views_differ_from_each_other_and_by_seed() -> None:
    found = [shown(policy, view) for policy in (ALL, ALL.model_copy(update={"seed": 1})) for view in range(3)]
    for one in range(len(found)):
        for other in range(one):
            assert not any(torch.equal(a, b) for a, b in zip(found[one], found[other], strict=True))
    assert views(ALL) == 16 and set(draw(999, ALL, torch.Generator().manual_seed(0)).tolist()) == set(range(16))


def test_a_change_more_leaves_the_others_as_they_were() -> None:
    angles = [augment._between(each, augment.ANGLE, 1.0, NUMBERS, NUMBERS) for each in (ALL, Augment(rotate=1.0))]
    assert torch.equal(*angles)


@pytest.mark.parametrize("knobs", [{"crop": 2}, {"flip": "both"}, {"rotate": 9.0}, {"shear": 0.2}, {"color": 0.2}])
def test_images_keep_type_and_shape_and_are_left_alone(knobs: dict[str, Any]) -> None:
    before, floats = PHOTOS.clone(), PHOTOS / 255
    found = shown(Augment(**knobs), 0)
    assert found.dtype == torch.uint8 and found.shape == PHOTOS.shape and not torch.equal(found, PHOTOS)
    assert torch.equal(PHOTOS, before)
    again = shown(Augment(**knobs), 0, floats)
    assert again.dtype == torch.float32 and (again * 255 - found).abs().max() <= 0.501  # rounded once, at the end


@pytest.mark.parametrize("knob", ["crop", "rotate", "shear", "color"])
def test_no_amount_is_no_change(knob: str) -> None:
    assert torch.equal(shown(Augment(**{knob: 0}), 3), PHOTOS)


@pytest.mark.parametrize(
    ("flip", "axes"), [("horizontal", [(-1,)]), ("vertical", [(-2,)]), ("both", [(-1,), (-2,), (-1, -2)])]
)
def test_flips_mirror_about_half(flip: Any, axes: list[tuple[int, ...]]) -> None:
    found = [shown(Augment(flip=flip), view) for view in range(8)]
    kinds = [(), *axes]
    seen = [
        kind
        for each in found
        for a, b in zip(each, PHOTOS, strict=True)
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
        for pair in zip(IMAGES.numpy(), shown(Augment(crop=1), view, IMAGES, torch.arange(40)).numpy(), strict=True)
    ]
    assert {shifts(image, moved, 1)[0] for image, moved in pairs} == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_rotations_and_shears_are_torchvisions() -> None:
    images, view = PHOTOS / 255, torch.full_like(NUMBERS, 5)
    turned, sheared = shown(Augment(rotate=40.0), 5, images), shown(Augment(shear=0.4), 5, images)
    angles = augment._between(Augment(rotate=40.0), augment.ANGLE, 40.0, view, NUMBERS)
    slopes = augment._between(Augment(shear=0.4), augment.SLOPE, 0.4, view, NUMBERS)
    for n, image in enumerate(images):
        rotated = functional.rotate(image, angles[n].item(), BILINEAR)
        torch.testing.assert_close(turned[n], rotated, rtol=0, atol=1e-5)
        slope = [-math.degrees(math.atan(slopes[n])), 0.0]
        other = functional.affine(image, 0.0, [0, 0], 1.0, slope, BILINEAR)
        torch.testing.assert_close(sheared[n], other, rtol=0, atol=1e-5)


def test_colors_are_torchvisions() -> None:
    policy, images, view = Augment(color=0.5), PHOTOS / 255, torch.full_like(NUMBERS, 2)
    found = shown(policy, 2, images)
    kinds = (augment.BRIGHTNESS, augment.CONTRAST, augment.SATURATION)
    factors = [1 + augment._between(policy, kind, 0.5, view, NUMBERS) for kind in kinds]
    for n, image in enumerate(images):
        wanted = functional.adjust_brightness(image, factors[0][n].item())
        wanted = functional.adjust_contrast(wanted, factors[1][n].item())
        wanted = functional.adjust_saturation(wanted, factors[2][n].item())
        torch.testing.assert_close(found[n], wanted, rtol=0, atol=2e-4)  # its weights of the colors are rounded


def test_grey_images_have_no_saturation() -> None:
    grey = PHOTOS[:, :1]
    three = shown(Augment(color=0.4), 1, grey.expand(-1, 3, -1, -1) / 255)
    torch.testing.assert_close(shown(Augment(color=0.4), 1, grey / 255).expand(-1, 3, -1, -1), three)


def test_equal_policies_have_one_name() -> None:
    assert name(ALL) == name(Augment.model_validate(ALL.model_dump())) and name(2) == "shifted-2"
    others = [ALL.model_copy(update={key: value}) for key, value in {"views": 8, "crop": 1, "seed": 1}.items()]
    assert len({name(each) for each in (ALL, *others)}) == 4
