"""The table of images by class and split in `--check`."""

from __future__ import annotations

import numpy as np

from search.plan.class_table import class_table
from trainables.data.dataset import UNLABELED, Dataset, Split


def dataset(counts: dict[str, tuple[int, int, int]], unlabeled: int = 0) -> Dataset:
    """Images without content, with names of files."""
    splits = []
    for split in range(3):
        labels = np.repeat(np.arange(len(counts)), [numbers[split] for numbers in counts.values()])
        labels = np.concatenate([labels, np.full(unlabeled if split == 0 else 0, UNLABELED)])
        splits.append(Split(np.zeros((len(labels), 1, 2, 2), np.uint8), labels))
    names = tuple(tuple(map(str, range(len(split.labels)))) for split in splits)
    return Dataset(*splits, tuple(counts), "made here", "by hand", "folder", names=names)


def test_every_class_has_its_images_by_split():
    lines = list(class_table(dataset({"cat": (1200, 100, 200), "dog": (90, 10, 20)}, unlabeled=7)))
    assert [line.split() for line in lines] == [
        ["class", "train", "val", "test"],
        ["cat", "1,200", "100", "200"],
        ["dog", "90", "10", "20"],
    ]


def test_a_tiny_class_has_advice():
    text = " ".join(" ".join(class_table(dataset({"cat": (80, 9, 9), "yak": (3, 1, 1)}))).split())
    assert "few images to train on: yak 3: add images, join classes by data.groups, or remove the class" in text


def test_many_classes_are_shortened_to_the_smallest_and_largest():
    lines = list(class_table(dataset({f"c{n:03}": (20 + n, 5, 5) for n in range(100)})))
    assert len(lines) == 1 + 9 + 1 + 3
    assert lines[1].split()[0] == "c000" and lines[-1].split()[0] == "c099"
    assert lines[10].strip() == "… 88 more classes of 39 to 126 images …"


def test_data_sets_without_files_have_no_table(digits):
    assert list(class_table(digits)) == []
