from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data.dataset import Split
from trainables.data.stratified_split import proportional_counts, split_off_validation, stratified_split


@st.composite
def cuts(draw: st.DrawFn) -> tuple[np.ndarray, int, int]:
    labels = np.array(draw(st.lists(st.integers(0, 6), min_size=2, max_size=120)))
    return labels, draw(st.integers(1, len(labels) - 1)), draw(st.integers(0, 2**32))


@given(cuts())
def test_a_cut_is_a_stratified_partition(case: tuple[np.ndarray, int, int]) -> None:
    labels, size, seed = case
    rest, taken = stratified_split(labels, size, seed)
    assert len(taken) == size
    assert sorted([*rest, *taken]) == list(range(len(labels)))
    counts = np.bincount(labels, minlength=7)
    got = np.bincount(labels[taken], minlength=7)
    assert (abs(got - counts * size / len(labels)) < 1).all()


@given(cuts())
def test_a_cut_depends_on_nothing_but_its_arguments(case: tuple[np.ndarray, int, int]) -> None:
    first, second = stratified_split(*case), stratified_split(*case)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30).filter(any), st.data())
def test_shares_add_up(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, sum(counts)))
    shares = proportional_counts(np.array(counts), size)
    assert shares.sum() == size
    assert (shares <= counts).all()


def test_golden_cut() -> None:
    """Published numbers stand on these images: this test may never be adjusted."""
    rest, taken = stratified_split(np.repeat(np.arange(4), 5), 6, 0)
    assert rest.tolist() == [13, 1, 18, 19, 17, 0, 7, 14, 4, 10, 12, 16, 5, 9]
    assert taken.tolist() == [11, 3, 2, 15, 8, 6]


def test_seeds_differ_and_parts_are_shuffled() -> None:
    labels = np.repeat(np.arange(10), 20)
    rest, taken = stratified_split(labels, 50, 0)
    assert set(taken.tolist()) != set(stratified_split(labels, 50, 1)[1].tolist())
    assert (np.diff(labels[rest]) < 0).any() and (np.diff(labels[taken]) < 0).any()


@pytest.mark.parametrize("validation", [0, -1, 40, 41, 2.0, "5", True, None])
def test_a_validation_that_cannot_be_cut(validation: object) -> None:
    split = Split(np.zeros((40, 1, 2, 2), np.uint8), np.arange(40) % 4)
    with pytest.raises(UserError, match=r"^data\.validation: .*from 1 to 39$"):
        split_off_validation(split, split, validation=validation, classes=("0",), source="", name="")  # pyright: ignore[reportArgumentType]
