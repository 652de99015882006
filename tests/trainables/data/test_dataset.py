from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainables.data.dataset import Dataset, Split

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


def split_of(labels: list[int]) -> Split:
    """A split with each image's position as its pixel."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Split(images, np.array(labels, dtype=np.int64))


def tiny() -> Dataset:
    train, val, test = split_of([0, 1, 2] * 8), split_of([0, 1, 2] * 3), split_of([2, 1, 0] * 4)
    return Dataset(train, val, test, ("a", "b", "c"), "Made up.", "by hand", "tiny")


@example([0, 0, 0, 1, 1, 2], 3)  # sorted by class: the first three are of one class
@given(LABELS, st.integers(0, 70))
def test_take_keeps_every_class(labels: list[int], n: int) -> None:
    small = split_of(labels).take(n)
    assert len(small.labels) == len(small.images) == min(n, len(labels))
    if n >= len(set(labels)):
        assert set(small.labels.tolist()) == set(labels)
    positions = small.images.ravel().tolist()
    assert positions == sorted(set(positions))
    assert [labels[i] for i in positions] == small.labels.tolist()


@given(LABELS, st.integers(0, 60), st.integers(0, 60))
def test_a_smaller_take_is_part_of_a_larger(labels: list[int], first: int, second: int) -> None:
    small, large = (set(split_of(labels).take(n).images.ravel().tolist()) for n in sorted((first, second)))
    assert small <= large


def test_shape_sizes_and_take() -> None:
    data = tiny()
    assert data.shape == (1, 1, 1)
    assert data.sizes == {"train": 24, "val": 9, "test": 12}
    small = data.take(6, 3, 100)
    assert small.sizes == {"train": 6, "val": 3, "test": 12}
    assert small.split == "by hand; reduced to 6/3/12 images"
    assert small.fingerprint() != data.fingerprint()


def test_fingerprint_depends_on_arrays_only() -> None:
    assert tiny().fingerprint() == tiny()._replace(source="Elsewhere.", split="at random").fingerprint()
    assert len(tiny().fingerprint()) == 32


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("field", ["images", "labels"])
def test_fingerprint_changes_with_any_array(part: str, field: str) -> None:
    data = tiny()
    before = data.fingerprint()
    getattr(getattr(data, part), field)[-1] += 1
    assert data.fingerprint() != before


def test_fingerprint_changes_with_order_shape_and_split() -> None:
    data = tiny()
    turned = data._replace(train=Split(data.train.images[::-1], data.train.labels[::-1]))
    flat = data._replace(train=Split(data.train.images.reshape(-1, 1, 2, 1), data.train.labels))
    swapped = data._replace(val=data.test, test=data.val)
    assert len({changed.fingerprint() for changed in (data, turned, flat, swapped)}) == 4
