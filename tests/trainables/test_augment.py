from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.augment import draw, shift, views

IMAGES = torch.randint(1, 256, (40, 2, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def jittered(pixels: int, seed: int = 0) -> torch.Tensor:
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
    found = jittered(pixels, seed)
    assert found.dtype == torch.uint8 and found.shape == IMAGES.shape
    for image, shifted in zip(IMAGES.numpy(), found.numpy(), strict=True):
        assert len(shifts(image, shifted, pixels)) == 1  # all channels by the same


def test_images_move_apart_and_both_ways() -> None:
    pairs = [pair for seed in range(4) for pair in zip(IMAGES.numpy(), jittered(1, seed).numpy(), strict=True)]
    found = {shifts(image, shifted, 1)[0] for image, shifted in pairs}
    assert found == {(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_a_generator_determines_the_shifts() -> None:
    assert torch.equal(jittered(2, seed=1), jittered(2, seed=1))
    assert not torch.equal(jittered(2, seed=1), jittered(2, seed=2))


def test_images_are_left_alone() -> None:
    before = IMAGES.clone()
    jittered(2)
    assert torch.equal(IMAGES, before)


def test_every_shift_is_one_view() -> None:
    image = IMAGES[:1]
    found = [shift(image, 2, torch.tensor([view])) for view in range(views(2))]
    assert views(2) == 25 and len({each.numpy().tobytes() for each in found}) == 25
    assert torch.equal(found[views(2) // 2], image)
    assert views(0) == 1 and torch.equal(shift(image, 0, torch.tensor([0])), image)
