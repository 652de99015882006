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


PEERS = ("notebook loop", "plain Ray Tune", "Optuna loop")


def compared_names(size: str) -> tuple[str, ...]:
    """Return the result keys of notebook loop, search, plain Ray Tune and Optuna loop, in the order of their runs."""
    return f"notebook, {size}", f"{size}, 2 workers", f"plain Ray, {size}", f"Optuna, {size}"


def peer_results(results: Results, size: str) -> list[Any]:
    """Return the results of PEERS."""
    notebook, _, *parallel = compared_names(size)
    return [results[name] for name in (notebook, *parallel)]


def search_results(results: Results, size: str) -> Any:
    """Return the results of the search beside PEERS."""
    return results[compared_names(size)[1]]


def loop_accuracies(loop: Results) -> list[float]:
    """Return the test accuracies of a loop's students."""
    return [student["accuracy"] for student in loop["students"]]


def loop_seconds(loop: Results) -> float:
    """Return the seconds per student-epoch of a loop with one student at a time."""
    return mean(student["seconds"] for student in loop["students"])


def peer_seconds(results: Results, size: str) -> list[float]:
    """Return the seconds per student-epoch of PEERS; the latter two train two students at once."""
    notebook, *parallel = (loop_seconds(loop) for loop in peer_results(results, size))
    return [notebook, *(seconds / 2 for seconds in parallel)]


def search_seconds(search: Results) -> float:
    """Return the seconds per student-epoch of a search; two students run at once."""
    return mean(search["epoch_seconds"]) / 2


def same_accuracy(group: Sequence[float], reference: Sequence[float], images: int) -> bool:
    """Compare two means within three standard errors, of students and of test images."""
    pooled = max((stdev(values) for values in (group, reference) if len(values) > 1), default=0.0)
    p = mean([*group, *reference])
    error = math.sqrt(pooled**2 * (1 / len(group) + 1 / len(reference)) + p * (1 - p) / images)
    return abs(mean(group) - mean(reference)) <= 3 * error


def comparable_peers(results: Results, size: str) -> list[bool]:
    """Return for each of PEERS whether its students are as good as those of the search."""
    own = search_results(results, size)["accuracies"]
    return [same_accuracy(loop_accuracies(loop), own, TEST_IMAGES[size]) for loop in peer_results(results, size)]


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
