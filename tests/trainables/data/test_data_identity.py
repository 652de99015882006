"""Differences between two data sets are named in phrases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainables.data import Dataset
from trainables.data.data_identity import data_differences, data_identity, data_identity_of_environment
from trainables.data.dataset import Split

CLASSES = ("birds", "cats", "dogs")


def photos(counts: tuple[int, ...] = (10, 20, 30), classes: tuple[str, ...] = CLASSES, side: int = 4) -> Dataset:
    """Return black images of these classes, a fifth each for validation and test."""
    labels = np.repeat(np.arange(len(classes)), counts)
    split = Split(np.zeros((len(labels), 3, side, side), np.uint8), labels)
    parts = [Split(split.images[i::5], split.labels[i::5]) for i in (1, 2)]
    rest = np.arange(len(labels)) % 5
    train = Split(split.images[(rest != 1) & (rest != 2)], split.labels[(rest != 1) & (rest != 2)])
    return Dataset(train, *parts, classes, "source", "split", "photos")


def differences(present: Dataset) -> list[str]:
    return data_differences(data_identity(photos()), data_identity(present))


def test_equal_data_has_no_differences():
    assert differences(photos()) == []


@pytest.mark.parametrize(
    ("present", "phrases"),
    [
        (photos((10, 21, 30)), ["61 images, were 60", "class cats has 21 images, had 20"]),
        (
            photos((20, 30), ("cats", "dogs")),
            ["50 images, were 60", "class birds is gone"],
        ),
        (photos(classes=("zebras", "cats", "dogs")), ["class birds is gone", "class zebras is new"]),
        (photos(classes=("a", "b", "c")), ["classes birds, cats, dogs are gone", "classes a, b, c are new"]),
        (photos((20, 10, 30), ("cats", "birds", "dogs")), ["the classes are in another order"]),
        (photos((11, 19, 30)), ["class birds has 11 images, had 10", "class cats has 19 images, had 20"]),
        (photos(side=5), ["images of 3×5×5, were of 3×4×4"]),
        (photos()._replace(name="digits"), ["data set digits, was photos"]),
    ],
)
def test_differences_are_named(present, phrases):
    assert differences(present) == phrases


def test_long_lists_are_cut():
    many = tuple(f"c{number}" for number in range(9))
    named = data_differences(data_identity(photos((5,) * 9, many)), data_identity(photos((6,) * 9, many)))
    assert named[0] == "54 images, were 45" and named[-1] == "6 more classes have other numbers of images"
    assert len(named) == 5
    assert differences(photos((5,) * 9, many))[2] == "classes c0, c1, c2 and 6 more are new"


def test_moved_images_and_changed_pixels():
    data = photos()
    moved = data._replace(train=data.val, val=data.train)
    assert differences(moved) == ["12 / 36 / 12 images for training / validation / test, were 36 / 12 / 12"]
    images = data.test.images.copy()
    images[-1, 0, 0, 0] = 1
    labels = data.train.labels.copy()
    labels[[0, -1]] = labels[[-1, 0]]
    for changed in (
        data._replace(test=data.test._replace(images=images)),
        data._replace(train=data.train._replace(labels=labels)),
    ):
        assert differences(changed) == ["other pixels or labels, in as many images of each class"]


def test_records_of_earlier_versions_are_compared_as_far_as_they_go():
    recorded: dict[str, Any] = {"name": "photos", **photos().sizes, "classes": [*CLASSES], "shape": [3, 4, 4]}
    earlier = data_identity_of_environment(recorded)
    assert data_differences(earlier, data_identity(photos())) == []
    renamed = data_identity(photos(classes=("zebras", "cats", "dogs")))
    assert data_differences(earlier, renamed) == ["class birds is gone", "class zebras is new"]
    assert data_differences(data_identity_of_environment({}), renamed) == []
