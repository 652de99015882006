"""Images of each class and split of one's own images, for `--check`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from search.plan.preview import wrap_row
from trainables.data import Dataset
from trainables.data.dataset import SPLITS

MAX_CLASSES = 12  # lines; of more classes the smallest and the largest
LARGEST_SHOWN = 3
MIN_TRAINING_IMAGES = 10  # of a class, below which it is called tiny
MAX_NAME = 30  # characters


def class_table(data: Dataset) -> Iterator[str]:
    """Yield a table of images by class and split.

    Advice for tiny classes follows. Data sets without image files have no table.
    """
    if not data.names:
        return
    splits = [getattr(data, split).labels for split in SPLITS]
    counts = np.array([np.bincount(labels[labels >= 0], minlength=len(data.classes)) for labels in splits]).T
    width = min(MAX_NAME, max(len("class"), *map(len, data.classes)))
    yield f"  {'class':<{width}}" + "".join(f"{split:>8}" for split in SPLITS)
    order = np.argsort(counts.sum(1), kind="stable")
    is_short = len(order) <= MAX_CLASSES
    smallest = range(len(order)) if is_short else order[: MAX_CLASSES - LARGEST_SHOWN]
    for label in smallest:
        yield _class_line(data.classes[label], counts[label], width)
    if not is_short:
        hidden = counts[order[MAX_CLASSES - LARGEST_SHOWN : -LARGEST_SHOWN]].sum(1)
        yield f"  … {len(hidden):,} more classes of {hidden.min():,} to {hidden.max():,} images …"
        for label in order[-LARGEST_SHOWN:]:
            yield _class_line(data.classes[label], counts[label], width)
    tiny = [label for label in order.tolist() if counts[label, 0] < MIN_TRAINING_IMAGES]
    if tiny:
        names = ", ".join(f"{data.classes[label]} {counts[label, 0]}" for label in tiny[:MAX_CLASSES])
        more = f" and {len(tiny) - MAX_CLASSES:,} more" if len(tiny) > MAX_CLASSES else ""
        advice = "add images, join classes by data.groups, or remove the class"
        yield from wrap_row("tiny", f"few images to train on: {names}{more}: {advice}")


def _class_line(name: str, counts: np.ndarray, width: int) -> str:
    shown = name if len(name) <= width else f"{name[: width - 1]}…"
    return f"  {shown:<{width}}" + "".join(f"{n:>8,}" for n in counts.tolist())
