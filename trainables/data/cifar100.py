"""CIFAR-100: 60,000 photographs in 100 classes, 32 by 32."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from trainables.data import cifar
from trainables.data.archive import Archive
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.stratified_split import split_off_validation
from trainables.declare import declare

_FINE = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
"""
_COARSE = """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
    insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
    medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
"""
FINE, COARSE = tuple(_FINE.split()), tuple(_COARSE.split())
LAYOUT = cifar.CifarLayout(
    name="cifar100",
    binary="cifar-100-binary",
    python="cifar-100-python",
    train=("train",),
    test="test",
    md5={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},  # as in torchvision
    max_file_images=50_000,
    labels=(cifar.LabelColumn(b"coarse_labels", COARSE), cifar.LabelColumn(b"fine_labels", FINE)),
    archive=Archive(
        "cifar-100-binary.tar.gz",
        "cifar-100-binary",
        "03b5dce01913d631647c71ecec9e9cb8",
        168_513_733,
        ("https://www.cs.toronto.edu/~kriz/",),
    ),
)


@declare(paper='Krizhevsky (2009), "Learning multiple layers of features from tiny images"')
def cifar100(
    root: Path,
    download: bool,
    *,
    labels: Literal["fine", "coarse"] = "fine",
    validation: int = 5000,
    groups: Groups = None,
) -> Dataset:
    """60,000 color photographs in 100 classes, 32 by 32 pixels.

    Reads two files from ROOT/cifar-100-binary or ROOT/cifar-100-python.

    Args:
        labels: The 100 fine classes, or the 20 coarse classes that join five of them each.
        validation: Training images that become the validation set, stratified.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    column = ("coarse", "fine").index(labels)
    train, test, source = cifar.read_cifar(LAYOUT, column, root, download)
    classes = LAYOUT.labels[column].classes
    source = f"{source}, {labels} labels"
    data = split_off_validation(train, test, validation=validation, classes=classes, source=source, name="cifar100")
    return group_classes(data, groups)
