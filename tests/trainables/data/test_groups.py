"""Superclasses: the same images, labeled by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data import DATASETS, Dataset, Split, load_dataset
from trainables.data.generated import GENERATORS
from trainables.data.groups import group_classes


def letters() -> Dataset:
    """Four classes of eight images in all splits together, all in different gray levels."""
    splits = [Split(np.arange(n, dtype=np.uint8).reshape(-1, 1, 1, 1) + n, np.arange(n) % 4) for n in (16, 8, 8)]
    return Dataset(*splits, ("a", "b", "c", "d"), "Made up.", "by hand", "letters")


@pytest.mark.usefixtures("official")
@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_takes_groups(name: str, raw: Path, tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"validation": 40} if name == "mnist" else {}
    root, knobs = (tmp_path, GENERATORS[name](tmp_path, {})) if name in GENERATORS else (raw, knobs)
    fine = load_dataset(name, root, **knobs)
    n, half = len(fine.classes), len(fine.classes) // 2
    labels = [int(label) if label.isdecimal() else label for label in fine.classes]
    coarse = load_dataset(name, root, **knobs, groups=[labels[:half], labels[half:]])
    assert coarse.classes == ("+".join(fine.classes[:half]), "+".join(fine.classes[half:]))
    assert coarse.split == f"{fine.split}; its {n} classes were then put into groups: {', '.join(coarse.classes)}"
    for mine, theirs in zip(coarse[:3], fine[:3], strict=True):
        assert np.array_equal(mine.images, theirs.images)
        assert np.array_equal(mine.labels, theirs.labels >= half) and mine.labels.dtype == np.int64
    assert (coarse.fingerprint() == fine.fingerprint()) == (n == 2)
    assert (coarse.name, coarse.source, coarse.sizes) == (fine.name, fine.source, fine.sizes)


@given(st.permutations(["a", "b", "c", "d"]), st.integers(1, 3))
def test_a_label_is_the_number_of_the_group(order: list[str], first: int) -> None:
    data, groups = letters(), [order[:first], order[first:]]
    for fine, coarse in zip(data[:3], group_classes(data, groups)[:3], strict=True):
        named = [data.classes[label] for label in fine.labels]
        assert all(name in groups[label] for name, label in zip(named, coarse.labels, strict=True))


def test_no_groups_change_nothing() -> None:
    data = letters()
    assert group_classes(data, None) is data


def test_a_grouped_data_set_can_be_reduced() -> None:
    small = group_classes(letters(), [["d"], ["a", "b", "c"]]).take(4, 2, 2)
    assert small.sizes == {"train": 4, "val": 2, "test": 2}
    assert [set(split.labels.tolist()) for split in small[:3]] == [{0, 1}] * 3


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[0, 1, 2, 3, 4], [5, 6, 7, 8]], "class 9 is in no group, expected one group"),
        ([[0, 1, 2, 3, 4], [4, 5, 6, 7, 8, 9]], "class 4 is in more than one place, expected one group"),
        ([[0, 1, 2, 3, 4, 4], [5, 6, 7, 8, 9]], "class 4 is in more than one place, expected one group"),
        ([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, "o"]], "o is no class of digits; known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ([[True, 0], [2, 3, 4, 5, 6, 7, 8, 9]], "True is no class of digits"),
        ([list(range(10))], "found 1, expected at least two groups"),
        ([list(range(10)), []], "group 2 is empty"),
        ([], "found 0, expected at least two groups"),
        ([3, [4]], "expected a list"),
        (3, "found 3, expected a list"),
    ],
)
def test_wrong_groups(groups: object, message: str) -> None:
    with pytest.raises(UserError, match=r"^data\.groups") as caught:
        load_dataset("digits", groups=groups)
    assert message in str(caught.value)
