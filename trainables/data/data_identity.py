"""Identity of a data set, and the differences between two of them.

An experiment records it when it begins (identity.json). Students of other images or classes are never mixed with its
own, and an export gets the names of the classes that the student was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainables.data.dataset import SPLITS, Dataset

MAX_NAMED_CLASSES = 3  # in each part of a message

Identity = Mapping[str, Any]


def data_identity(data: Dataset) -> dict[str, Any]:
    """Return fingerprint, sizes and class counts as JSON values.

    The counts are of all splits together, in the order of the labels, without unlabeled images.
    """
    labels = np.concatenate([data.train.labeled, data.val.labels, data.test.labels])
    counts = np.bincount(labels, minlength=len(data.classes)).tolist()
    return {
        "name": data.name,
        "fingerprint": data.fingerprint(),
        "shape": list(data.shape),
        **data.sizes,
        "classes": dict(zip(data.classes, counts, strict=True)),
    }


def data_identity_of_environment(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity in an environment.json of an earlier version.

    It has no fingerprint and no class counts, which are then not compared.
    """
    names = ("name", "shape", "train", "val", "test")
    identity = {name: recorded[name] for name in names if name in recorded}
    return identity | ({"classes": dict.fromkeys(recorded["classes"])} if "classes" in recorded else {})


def data_differences(recorded: Identity, present: Identity) -> list[str]:
    """Return the differences as phrases such as "85 images, were 84".

    An entry that either identity lacks is not compared.
    """
    differences = list(_named_differences(recorded, present))
    if not differences and _differ(recorded, present, "fingerprint"):
        return ["other pixels or labels, in as many images of each class"]
    return differences


def _named_differences(recorded: Identity, present: Identity) -> Iterator[str]:
    if _differ(recorded, present, "name"):
        yield f"data set {present['name']}, was {recorded['name']}"
    if _differ(recorded, present, "shape"):
        yield "images of {}, were of {}".format(*("×".join(map(str, part["shape"])) for part in (present, recorded)))
    yield from _size_differences(recorded, present)
    if _differ(recorded, present, "classes"):
        yield from _class_differences(recorded["classes"], present["classes"])


def _size_differences(recorded: Identity, present: Identity) -> Iterator[str]:
    if any(part not in recorded for part in SPLITS):
        return
    sizes = [[identity[part] for part in SPLITS] for identity in (present, recorded)]
    if sizes[0] == sizes[1]:
        return
    if sum(sizes[0]) != sum(sizes[1]):
        yield f"{sum(sizes[0]):,} images, were {sum(sizes[1]):,}"
    else:
        texts = [" / ".join(f"{size:,}" for size in part) for part in sizes]
        yield f"{texts[0]} images for training / validation / test, were {texts[1]}"


def _class_differences(recorded: Identity, present: Identity) -> Iterator[str]:
    gone = [name for name in recorded if name not in present]
    new = [name for name in present if name not in recorded]
    for names, verb in ((gone, "gone"), (new, "new")):
        if names:
            yield f"{_class_list(names)} {'is' if len(names) == 1 else 'are'} {verb}"
    common = [name for name in present if name in recorded]
    if not gone and not new and list(present) != list(recorded):
        yield "the classes are in another order"
    changed = [name for name in common if _differ(recorded, present, name)]
    for name in changed[:MAX_NAMED_CLASSES]:
        yield f"class {name} has {present[name]:,} images, had {recorded[name]:,}"
    if len(changed) > MAX_NAMED_CLASSES:
        yield f"{len(changed) - MAX_NAMED_CLASSES} more classes have other numbers of images"


def _class_list(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED_CLASSES} more" if len(names) > MAX_NAMED_CLASSES else ""
    return ("class " if len(names) == 1 else "classes ") + ", ".join(names[:MAX_NAMED_CLASSES]) + more


def _differ(recorded: Identity, present: Identity, name: str) -> bool:
    """Return True if both have the entry, with different values.

    The order of a mapping counts.
    """
    first, second = recorded.get(name), present.get(name)
    if first is None or second is None:
        return False
    if isinstance(first, dict) and isinstance(second, dict):
        return [*first.items()] != [*second.items()]
    return first != second
