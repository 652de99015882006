"""Data sets as arrays: three splits of images, or other inputs, with labels."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from trainables.data.array_file import concatenate_rows
from trainables.data.image_file import FULL_DEPTH

SPLITS = ("train", "val", "test")
UNLABELED = -100  # label of images without one; torch's cross-entropy of this label is 0


class Split(NamedTuple):
    """Images and labels of one split.

    Training images may be unlabeled.
    """

    images: np.ndarray  # uint8 [n, channels, height, width], divided by 255 later, or float32 inputs [n, …]
    labels: np.ndarray  # int64 [n], UNLABELED for none

    @property
    def labeled(self) -> np.ndarray:
        """Labels of the labeled images."""
        return self.labels[self.labels != UNLABELED]

    def take(self, n: int) -> Split:
        """Return n images; see `spread_indices`."""
        return self.at(self.spread_indices(n))

    def at(self, indices: np.ndarray) -> Split:
        """Return the images with these indices."""
        return Split(self.images[indices], self.labels[indices])

    def spread_indices(self, n: int) -> np.ndarray:
        """Return the indices of n images, each class in turn, in their order.

        Every class remains if n is at least the number of classes.
        """
        turn = np.empty(len(self.labels), dtype=np.int64)  # 0 for the first image of its class, 1 for the second, …
        for label in np.unique(self.labels):
            members = np.flatnonzero(self.labels == label)
            turn[members] = np.arange(len(members))
        return np.sort(np.argsort(turn, kind="stable")[:n])


class Dataset(NamedTuple):
    """Three disjoint splits, and a description of their origin."""

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]  # names, indexed by the labels
    source: str  # one sentence: origin, and what was verified
    split: str  # how validation was split off
    name: str
    depth: int = FULL_DEPTH  # bits used by image files of 16 bits
    notes: tuple[str, ...] = ()  # sentences on odd files, shown in the plan and the protocol
    names: tuple[tuple[str, ...], ...] = ()  # file names of the images of each split; empty if they are no files
    is_generated: bool = False  # in place of missing data: the number of images means nothing

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of an image, or the shape of another input."""
        return self.train.images.shape[1:]

    @property
    def are_images(self) -> bool:
        """Return True for inputs [channels, height, width]."""
        return len(self.shape) == 3

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images in each split."""
        return {"train": len(self.train.labels), "val": len(self.val.labels), "test": len(self.test.labels)}

    def fingerprint(self) -> str:
        """Hash all images and labels, in their order, to 32 hex digits."""
        digest = hashlib.blake2b(digest_size=16)
        for split in (self.train, self.val, self.test):
            for array in split:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def in_memory(self) -> Dataset:
        """Copy memory-mapped images, for machines without the files."""
        train, val, test = (
            split._replace(images=np.array(split.images)) for split in (self.train, self.val, self.test)
        )
        return self._replace(train=train, val=val, test=test)

    def join_validation(self) -> Dataset:
        """Return the data with all validation images for training.

        They are behind the training images. The validation split is empty.
        """
        images = concatenate_rows(self.train.images, self.val.images)
        train = Split(images, np.concatenate([self.train.labels, self.val.labels]))
        names = ((*self.names[0], *self.names[1]), (), self.names[2]) if self.names else ()
        return self._replace(train=train, val=Split(self.val.images[:0], self.val.labels[:0]), names=names)

    def take(self, n_train: int, n_val: int, n_test: int) -> Dataset:
        """Return a smaller data set, always with the same images."""
        splits, sizes = (self.train, self.val, self.test), (n_train, n_val, n_test)
        indices = [split.spread_indices(n) for split, n in zip(splits, sizes, strict=True)]
        train, val, test = (split.at(chosen) for split, chosen in zip(splits, indices, strict=True))
        names = tuple(tuple(part[i] for i in chosen) for part, chosen in zip(self.names, indices, strict=False))
        small = self._replace(train=train, val=val, test=test, names=names)
        shown = "/".join(f"{size:,}" for size in small.sizes.values())
        return small._replace(split=f"{self.split}; reduced to {shown} images")
