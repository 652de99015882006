"""`python examples/photos.py DIR ROOT`: 10,000 CIFAR-10 photographs below ROOT as PNG files, a folder per class."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from trainables.data import load

ANIMALS = ("cat", "deer", "dog", "horse")
EACH = 2500  # images, the first of each class that the data set trains on

data = load("cifar10", Path(sys.argv[2]))
for animal in ANIMALS:
    folder = Path(sys.argv[1]) / animal
    folder.mkdir(parents=True)
    found = np.flatnonzero(data.train.labels == data.classes.index(animal))[:EACH]
    for number, image in enumerate(data.train.images[found]):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number:04}.png")
