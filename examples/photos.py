"""`python examples/photos.py DIR ROOT`: write 10,000 CIFAR-10 images from ROOT as PNG files, one folder per class."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from trainables.data import load_dataset

ANIMALS = ("cat", "deer", "dog", "horse")
IMAGES_PER_CLASS = 2500  # the first of the training set

data = load_dataset("cifar10", Path(sys.argv[2]))
for animal in ANIMALS:
    folder = Path(sys.argv[1]) / animal
    folder.mkdir(parents=True)
    indices = np.flatnonzero(data.train.labels == data.classes.index(animal))[:IMAGES_PER_CLASS]
    for number, image in enumerate(data.train.images[indices]):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number:04}.png")
