"""A data set as whole arrays: three splits of uint8 images with their labels."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Images, uint8 [n, channels, height, width], and their labels, int64 [n]; models divide by 255."""

    images: np.ndarray
    labels: np.ndarray

    def take(self, n: int) -> Split:
        """The first n images, in turns over the classes, so that every class remains where n allows; order is kept."""
        turn = np.empty(len(self.labels), dtype=np.int64)  # 0 for the first image of its class, 1 for the second, …
        for label in np.unique(self.labels):
            members = np.flatnonzero(self.labels == label)
            turn[members] = np.arange(len(members))
        kept = np.sort(np.argsort(turn, kind="stable")[:n])
        return Split(self.images[kept], self.labels[kept])


class Dataset(NamedTuple):
    """Three disjoint splits and where they come from; labels index `classes`."""

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    source: str  # one sentence: where it came from and what was verified
    split: str  # how validation was cut
    name: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images in each split."""
        return {"train": len(self.train.labels), "val": len(self.val.labels), "test": len(self.test.labels)}

    def fingerprint(self) -> str:
        """32 hex digits that change with any image, label, shape or order in any split."""
        digest = hashlib.blake2b(digest_size=16)
        for split in (self.train, self.val, self.test):
            for array in split:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def take(self, n_train: int, n_val: int, n_test: int) -> Dataset:
        """A smaller data set for smoke tests, always the same images; a split with fewer images is kept whole."""
        train, val, test = self.train.take(n_train), self.val.take(n_val), self.test.take(n_test)
        small = self._replace(train=train, val=val, test=test)
        kept = "/".join(f"{size:,}" for size in small.sizes.values())
        return small._replace(split=f"{self.split}; reduced to {kept} images")
