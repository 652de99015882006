"""Figures derived from the results: seconds per student-epoch, overheads and operation counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

ALL = "60,000 images"
LARGE = f"{ALL}, 2 workers"
MB = 2**20
TEST_IMAGES = {ALL: 10000, "5,000 images": 1500}  # of the smaller of the two compared test sets
TRAIN_IMAGES = 55000
# Operations of the 784–784 student; the gradient of its inputs is not computed.
STUDENT_STEP_OPERATIONS = 2 * 256 * (5 * 784 * 784 + 3 * 784 * 10)
STUDENT_EPOCH_OPERATIONS = STUDENT_STEP_OPERATIONS * (TRAIN_IMAGES // 256)
# Operations of the assignment's CNN: forward, and backward to weights and inputs, except the inputs of the first layer.
TEACHER_EPOCH_OPERATIONS = 2 * TRAIN_IMAGES * (3 * 15_048_448 - 28 * 28 * 32 * 9)

Results = dict[str, Any]


def compared_names(size: str) -> tuple[str, str, str]:
    """Return the result keys of notebook loop, plain Ray Tune and search."""
    return f"notebook, {size}", f"plain Ray, {size}", f"{size}, 2 workers"


def compared_results(results: Results, size: str) -> tuple[Any, Any, Any]:
    """Return the results of notebook loop, plain Ray Tune and search."""
    notebook, ray, search = (results[name] for name in compared_names(size))
    return notebook, ray, search


def loop_accuracies(loop: Results) -> list[float]:
    """Return the test accuracies of a loop's students."""
    return [student["accuracy"] for student in loop["students"]]


def notebook_seconds(loop: Results) -> float:
    """Return the seconds per student-epoch of the notebook loop."""
    return mean(student["seconds"] for student in loop["students"])


def ray_seconds(loop: Results) -> float:
    """Return the seconds per student-epoch of plain Ray Tune; two trials run at once."""
    return notebook_seconds(loop) / 2


def search_seconds(search: Results) -> float:
    """Return the seconds per student-epoch of a search; two students run at once."""
    return mean(search["epoch_seconds"]) / 2


def same_accuracy(group: Sequence[float], reference: Sequence[float], images: int) -> bool:
    """Compare two means within three standard errors, of students and of test images."""
    pooled = max((stdev(values) for values in (group, reference) if len(values) > 1), default=0.0)
    p = mean([*group, *reference])
    error = math.sqrt(pooled**2 * (1 / len(group) + 1 / len(reference)) + p * (1 - p) / images)
    return abs(mean(group) - mean(reference)) <= 3 * error


def compared_accuracies(results: Results, size: str) -> tuple[bool, bool]:
    """Return whether the notebook's and plain Ray Tune's students are as good as the search's."""
    notebook, ray, search = compared_results(results, size)
    first, second = (
        same_accuracy(loop_accuracies(loop), search["accuracies"], TEST_IMAGES[size]) for loop in (notebook, ray)
    )
    return first, second


def ratio_text(ratio: float) -> str:
    """Return a ratio rounded down, so that no goal appears reached before it is."""
    return f"{math.floor(10 * ratio) / 10:.1f}"


def inner_overhead(search: Results) -> float:
    """Return the untrained share of the time from the first student's start to the last one's end."""
    return 1 - (1 - search["overhead"]) * search["wall"] / (search["seconds_per_student"] * search["students"])


def rate_fraction(search: Results, rate: float) -> float:
    """Return the fraction of a matrix-product rate reached by one worker, over whole epochs on all images."""
    return STUDENT_EPOCH_OPERATIONS / mean(search["epoch_seconds"]) / rate


def product_rate(results: Results) -> float:
    """Return matrix-product operations per second on one core, in the precision of training."""
    return results["rates"][results["precision"]]
