"""What a data set of a plugin may return, and what is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split
from trainables.data.dataset_contract import checked_dataset

IMAGES = np.arange(8 * 4 * 4, dtype=np.uint8).reshape(8, 1, 4, 4)
LABELS = np.array([0, 1] * 4)


def dataset(images: Any = IMAGES, labels: Any = LABELS, classes: Any = ("cat", "dog"), **changes: Any) -> Dataset:
    split = Split(images, labels)
    parts = {"train": split, "val": split, "test": split, "classes": classes}
    return Dataset(**{**parts, "source": "made", "split": "none", "name": "mine", **changes})


class Tensor:
    """An array of another library, such as a torch tensor."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._array


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (dataset(), "uint8", (1, 4, 4)),
        (dataset(Tensor(IMAGES), Tensor(LABELS)), "uint8", (1, 4, 4)),
        (dataset(IMAGES / 255), "float32", (1, 4, 4)),
        (dataset(IMAGES.reshape(8, 16) / 255), "float32", (16,)),
        (dataset(IMAGES[:, 0].astype(np.float16)), "float32", (4, 4)),
        (dataset(IMAGES, LABELS.astype(np.uint8)), "uint8", (1, 4, 4)),
        (dataset(IMAGES, LABELS.astype(bool)), "uint8", (1, 4, 4)),
        (dataset(classes=[0, 1]), "uint8", (1, 4, 4)),
    ],
    ids=["images", "tensors", "float images", "table", "spectrograms", "uint8 labels", "two classes", "numbers"],
)
def test_supported_data(data: Dataset, dtype: str, shape: tuple[int, ...]) -> None:
    checked = checked_dataset("mine", data)
    assert (checked.train.images.dtype, checked.shape, checked.train.labels.dtype) == (dtype, shape, "int64")
    assert all(isinstance(name, str) for name in checked.classes)
    assert checked.train.labels.tolist() == LABELS.tolist()


WRONG = np.full((8, 16), 0.5, dtype=np.float32)
WRONG[0, :3] = np.nan


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"train": IMAGES}, "the loader returned dict, expected trainables.data.Dataset"),
        (None, "the loader returned nothing"),
        (dataset(train={"images": IMAGES}), "train: not two arrays of one shape and type"),
        (dataset([IMAGES[0], IMAGES[0, :, :2]]), "train: not two arrays of one shape and type"),
        (
            dataset(np.zeros((8, 5, 5, 3), np.uint8)),
            "images [8, 5, 5, 3], expected [n, channels, height, width]: images.tra",
        ),
        (dataset(IMAGES[:, 0]), "images [8, 4, 4], expected [n, channels, height, width]: images[:, None]"),
        (dataset(IMAGES.reshape(8, 16)), "uint8 images [8, 16], expected [n, channels, height, width], or float32"),
        (
            dataset(IMAGES.reshape(8, 16).astype(int)),
            "inputs of type int64, expected uint8 images or float32 inputs of ",
        ),
        (dataset(IMAGES.reshape(8, 16).astype(int)), "text is not supported"),
        (dataset(np.array(["a", "b"] * 4)), "inputs of type <U1"),
        (dataset(WRONG), "3 input values are NaN or infinite"),
        (dataset(labels=LABELS + 1), "labels from 1 to 2, expected 0 to 1 for 2 classes; subtract 1"),
        (dataset(labels=LABELS - 1), "labels from -1 to 0, expected 0 to 1 for 2 classes"),
        (dataset(labels=np.eye(2)[LABELS]), "one-hot labels [8, 2], expected numbers [n]: labels.argmax(1)"),
        (dataset(labels=np.ones((8, 2))), "labels of several classes per example are not supported"),
        (dataset(labels=LABELS + 0.5), "labels of type float64; regression is not supported"),
        (dataset(labels=LABELS * 1.0), "labels of type float64; expected whole numbers"),
        (dataset(labels=np.array(["cat", "dog"] * 4)), "labels of type <U3; expected whole numbers"),
        (dataset(labels=LABELS[:7]), "8 images with 7 labels"),
        (dataset(val=Split(IMAGES[:0], LABELS[:0])), "val: no images"),
        (dataset(test=Split(IMAGES[:, :, :2], LABELS)), "test: inputs uint8 [1, 2, 4], but uint8 [1, 4, 4] in train"),
        (dataset(test=Split(IMAGES / 255, LABELS)), "test: inputs float32 [1, 4, 4], but uint8 [1, 4, 4] in train"),
    ],
)
def test_other_data_is_refused_in_one_line(data: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        checked_dataset("mine", data)
    assert message in str(caught.value) and str(caught.value).startswith("data.name: mine: ")
    assert len(str(caught.value).splitlines()) == 1


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(UserError, match=r"train: images \[8, 4, 4\].*; train: labels from 1 to 2.*; val: no images"):
        checked_dataset("mine", dataset(IMAGES[:, 0], LABELS + 1, val=Split(IMAGES[:0], LABELS[:0])))
