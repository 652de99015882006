"""CIFAR-10: 50,000 training and 10,000 test images of ten things, 32 by 32 in color (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

from trainables.data import cifar
from trainables.data.archive import Archive
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.stratified_split import split_off_validation

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LAYOUT = cifar.CifarLayout(
    name="cifar10",
    binary="cifar-10-batches-bin",
    python="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    md5={  # torchvision's
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    batch=10_000,
    labels=(cifar.LabelColumn(b"labels", CLASSES),),
    archive=Archive(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        "c32a1d4ab5d03f1284b67883e8d87530",
        170_052_171,
        ("https://www.cs.toronto.edu/~kriz/",),
    ),
)


def cifar10(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """Six files in ROOT/cifar-10-batches-bin or ROOT/cifar-10-batches-py; `validation` images are cut from train.

    The test batch may hold fewer than 10,000 images, and every table says how many.
    """
    train, test, source = cifar.read_cifar(LAYOUT, 0, root, download)
    data = split_off_validation(train, test, validation=validation, classes=CLASSES, source=source, name="cifar10")
    return group_classes(data, groups)
