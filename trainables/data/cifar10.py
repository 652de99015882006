"""CIFAR-10: 60,000 photographs in ten classes, 32 by 32."""

from __future__ import annotations

from pathlib import Path

from trainables.data import cifar
from trainables.data.archive import Archive
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.stratified_split import split_off_validation
from trainables.declare import declare

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LAYOUT = cifar.CifarLayout(
    name="cifar10",
    binary="cifar-10-batches-bin",
    python="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    md5={  # as in torchvision
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    max_file_images=10_000,
    labels=(cifar.LabelColumn(b"labels", CLASSES),),
    archive=Archive(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        "c32a1d4ab5d03f1284b67883e8d87530",
        170_052_171,
        ("https://www.cs.toronto.edu/~kriz/",),
    ),
)


@declare(paper='Krizhevsky (2009), "Learning multiple layers of features from tiny images"')
def cifar10(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """60,000 color photographs in ten classes, 32 by 32 pixels.

    Reads six files from ROOT/cifar-10-batches-bin or ROOT/cifar-10-batches-py. The test file may hold fewer than 10,000
    images; every table says how many.

    Args:
        validation: Training images that become the validation set, stratified.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    train, test, source = cifar.read_cifar(LAYOUT, 0, root, download)
    data = split_off_validation(train, test, validation=validation, classes=CLASSES, source=source, name="cifar10")
    return group_classes(data, groups)
