"""Fashion-MNIST: 70,000 images of ten kinds of clothes, 28 by 28."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from spaces.errors import UserError
from trainables.data.archive import file_md5, verify_md5
from trainables.data.dataset import Dataset, Split
from trainables.data.download import fetch_file
from trainables.data.groups import Groups, group_classes
from trainables.data.idx import IDX_NAMES, read_four_files
from trainables.data.locations import find_files, missing_dataset
from trainables.data.stratified_split import split_off_validation
from trainables.declare import declare

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MD5 = {  # of the gzipped files, as in torchvision
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
MAX_GZIPPED_BYTES = 2**25
SIDE_PIXELS = 28


@declare(paper="Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747")
def fashion_mnist(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """70,000 images of clothes in ten classes, 28 by 28 pixels.

    Reads four idx files, gzipped or not, from ROOT/FashionMNIST/raw. The published gzipped files are verified by their
    MD5, others by their form only.

    Args:
        validation: Training images that become the validation set, stratified.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    paths = _fashion_mnist_files(root, download)
    train, test = read_four_files(paths)
    for name, split in ((IDX_NAMES[0], train), (IDX_NAMES[2], test)):
        _check_fashion_mnist(paths[name], paths[name.replace("images-idx3", "labels-idx1")], split)
    published = all(MD5.get(path.name) == file_md5(path) for path in paths.values())
    verified = "verified by their md5" if published else "their form verified, their contents taken as they are"
    source = f"the four idx files in FashionMNIST/raw, {verified}"
    data = split_off_validation(
        train, test, validation=validation, classes=CLASSES, source=source, name="fashion_mnist"
    )
    return group_classes(data, groups)


def _check_fashion_mnist(images: Path, labels: Path, split: Split) -> None:
    if split.images.shape[1:] != (1, SIDE_PIXELS, SIDE_PIXELS):
        size = " by ".join(str(n) for n in split.images.shape[2:])
        raise UserError(f"{images}: images of {size} pixels, expected {SIDE_PIXELS} by {SIDE_PIXELS}")
    if split.labels.max() >= len(CLASSES):
        raise UserError(f"{labels}: label {split.labels.max()} at image {split.labels.argmax():,}, expected 0 to 9")


def _fashion_mnist_files(root: Path, download: bool) -> dict[str, Path]:
    home = root / "FashionMNIST" / "raw"  # torchvision's layout
    paths = find_files(IDX_NAMES, (home,))
    absent = [name for name, path in paths.items() if path is None]
    if absent and not download:
        files = f"{', '.join(absent)} (.gz or unpacked)"
        raise missing_dataset("fashion_mnist", files, [home], "or fetch the files (31 MB) by --download")
    for name in absent:
        verify = partial(verify_md5, md5=MD5[f"{name}.gz"])
        paths[name] = fetch_file(f"{name}.gz", home, MIRRORS, MAX_GZIPPED_BYTES, verify)
    return {name: path for name, path in paths.items() if path}
