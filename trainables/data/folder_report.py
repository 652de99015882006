"""Lines on a folder of images: unreadable files, small classes, equal files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from trainables.data.dataset import UNLABELED
from trainables.data.image_cache import MAX_NAMED_FILES
from trainables.data.image_list import ImageList
from trainables.data.split_files import SplitFiles

MIN_TEST_IMAGES = 5  # of a class, below which its accuracy is noted as coarse


def unreadable_lines(images: ImageList, reasons: Mapping[str, str]) -> list[str]:
    """Return error lines on unreadable files, by name and by class."""
    if not reasons:
        return []
    lines = [f"{images.base / name}: {reasons[name]}" for name in list(reasons)[:MAX_NAMED_FILES]]
    hint = "data.bad: skip leaves them out"
    total = f"{images.base}: {len(reasons):,} of {len(images.names):,} images are unreadable"
    return [*lines, f"{total} ({_counts_by_class(images, reasons)}); {hint}"]


def skipped_lines(images: ImageList, reasons: Mapping[str, str]) -> list[str]:
    """Return a note on unreadable files left out by `bad: skip`."""
    if not reasons:
        return []
    names = ", ".join(list(reasons)[:MAX_NAMED_FILES]) + (", …" if len(reasons) > MAX_NAMED_FILES else "")
    return [f"unreadable ones are left out: {len(reasons):,} ({_counts_by_class(images, reasons)}), namely {names}"]


def _counts_by_class(images: ImageList, names: Mapping[str, str]) -> str:
    class_of = images.class_of()
    counts = Counter(class_of.get(name, "unlabeled") for name in names)
    return ", ".join(f"{name} {n:,}" for name, n in counts.most_common())


def absent_class_lines(base: Path, classes: Sequence[str], files: SplitFiles) -> list[str]:
    """Return an error line for each split without images of some classes."""
    labels = np.concatenate([part.labels for part in files[:3]])
    totals = np.bincount(labels[labels != UNLABELED], minlength=len(classes))
    lines = []
    for name, part in zip(("train", "val", "test"), files[:3], strict=True):
        if absent := sorted(set(range(len(classes))) - set(part.labels.tolist())):
            listed = ", ".join(f"{classes[label]} ({totals[label]} in all)" for label in absent[:MAX_NAMED_FILES])
            hint = "add images of it, remove its folder, or change the shares data.validation and data.test"
            lines.append(f"{base}: no image of class {listed} is left in the {name} set; {hint}")
    return lines


def small_class_note(classes: Sequence[str], test_labels: np.ndarray) -> Iterator[str]:
    """Yield a note on classes with few test images."""
    counts = np.bincount(test_labels, minlength=len(classes))
    few = [f"{classes[label]} {counts[label]}" for label in np.flatnonzero(counts < MIN_TEST_IMAGES).tolist()]
    if few:
        listed = ", ".join(few[:MAX_NAMED_FILES]) + (", …" if len(few) > MAX_NAMED_FILES else "")
        yield f"few to test on ({listed}): the accuracy on these classes is coarse; add images, or raise data.test"


def equal_file_notes(files: SplitFiles, groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield notes on equal files in different splits or classes."""
    place = {
        name: (split, label)
        for split, part in zip(("training", "validation", "test"), files[:3], strict=True)
        for name, label in zip(part.names, part.labels.tolist(), strict=True)
    }
    shared: dict[tuple[str, str], list[tuple[str, str]]] = {}
    labels: list[tuple[str, str]] = []
    for group in groups:
        for first, second in combinations([name for name in group if name in place], 2):
            (first_split, label), (second_split, second_label) = place[first], place[second]
            if first_split != second_split:
                in_order = first_split == "training" or second_split == "test"
                pair = (first, second) if in_order else (second, first)
                shared.setdefault((place[pair[0]][0], place[pair[1]][0]), []).append(pair)
            if label != second_label and min(label, second_label) >= 0:
                labels.append((first, second))
    for (first_split, second_split), pairs in shared.items():
        equal = f"{len({pair[1] for pair in pairs}):,} of the {second_split} images equal {first_split} images"
        yield f"{equal}, such as {pairs[0][1]} and {pairs[0][0]}: their scores are too high"
    if labels:
        yield f"equal files have different labels: {len(labels):,} pairs, such as {labels[0][0]} and {labels[0][1]}"
