"""Fashion-MNIST: 60,000 training and 10,000 test images of ten kinds of clothes (Xiao et al., 2017)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from spaces.errors import UserError
from trainables.data.archive import digest, verify
from trainables.data.cut import assemble
from trainables.data.dataset import Dataset, Split
from trainables.data.download import fetch
from trainables.data.groups import Groups, grouped
from trainables.data.idx import NAMES, four
from trainables.data.root import find, missing

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MD5 = {  # of the packed files; torchvision's
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
LARGEST = 2**25  # bytes of a packed file
SIDE = 28  # pixels


def fashion_mnist(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """Four idx files in ROOT/FashionMNIST/raw, gzipped or not; `validation` images are cut from train."""
    paths = _paths(root, download)
    train, test = four(paths)
    for name, part in ((NAMES[0], train), (NAMES[2], test)):
        _check(paths[name], paths[name.replace("images-idx3", "labels-idx1")], part)
    published = all(MD5.get(path.name) == digest(path) for path in paths.values())
    verified = "verified by their md5" if published else "their form verified, their contents taken as they are"
    source = f"the four idx files in FashionMNIST/raw, {verified}"
    data = assemble(train, test, validation=validation, classes=CLASSES, source=source, name="fashion_mnist")
    return grouped(data, groups)


def _check(images: Path, labels: Path, split: Split) -> None:
    if split.images.shape[1:] != (1, SIDE, SIDE):
        found = " by ".join(str(n) for n in split.images.shape[2:])
        raise UserError(f"{images}: images of {found} pixels, expected {SIDE} by {SIDE}")
    if split.labels.max() >= len(CLASSES):
        raise UserError(f"{labels}: label {split.labels.max()} at image {split.labels.argmax():,}, expected 0 to 9")


def _paths(root: Path, download: bool) -> dict[str, Path]:
    home = root / "FashionMNIST" / "raw"  # torchvision's layout
    found = find(NAMES, (home,))
    absent = [name for name, path in found.items() if path is None]
    if absent and not download:
        what = f"{', '.join(absent)} (.gz or unpacked)"
        raise missing("fashion_mnist", what, [home], "or fetch the files (31 MB) by --download")
    for name in absent:
        found[name] = fetch(f"{name}.gz", home, MIRRORS, LARGEST, partial(verify, md5=MD5[f"{name}.gz"]))
    return {name: path for name, path in found.items() if path}
