"""What was measured, as figures: seconds of student-epochs, shares, and how many operations they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

ALL = "60,000 images"
LARGE = f"{ALL}, 2 workers"
MB = 2**20
TESTS = {ALL: 10000, "5,000 images": 1500}  # images of the smaller of the two test sets
TRAINED = 55000  # of all images
STEP = 2 * 256 * (5 * 784 * 784 + 3 * 784 * 10)  # operations of a student's step: its inputs need no gradient
EPOCH = STEP * (TRAINED // 256)
# Of an epoch of the assignment's CNN: forward, and backward to weights and inputs but for those of its first layer.
LESSON = 2 * TRAINED * (3 * 15_048_448 - 28 * 28 * 32 * 9)

Results = dict[str, Any]


def three(results: Results, size: str) -> tuple[Any, Any, Any]:
    """The notebook loop, plain Ray and ours, on so many images."""
    loop, ray, ours = (results[name] for name in names(size))
    return loop, ray, ours


def names(size: str) -> tuple[str, str, str]:
    """The parts of a benchmark that are compared."""
    return f"notebook, {size}", f"plain Ray, {size}", f"{size}, 2 workers"


def accuracies(loop: Results) -> list[float]:
    """On the test images, of a loop's students."""
    return [each["accuracy"] for each in loop["students"]]


def notebook(loop: Results) -> float:
    """Seconds of a student-epoch."""
    return mean(each["seconds"] for each in loop["students"])


def ray(loop: Results) -> float:
    """Seconds of a student-epoch, of which two are trained at once."""
    return notebook(loop) / 2


def ours(search: Results) -> float:
    """Seconds of a student-epoch, likewise."""
    return mean(search["training"]) / 2


def same(one: Sequence[float], other: Sequence[float], tests: int) -> bool:
    """Whether the mean accuracies of two groups are within noise: three standard errors, of students and of images."""
    pooled = max((stdev(each) for each in (one, other) if len(each) > 1), default=0.0)
    p = mean([*one, *other])
    error = math.sqrt(pooled**2 * (1 / len(one) + 1 / len(other)) + p * (1 - p) / tests)
    return abs(mean(one) - mean(other)) <= 3 * error


def times(ratio: float) -> str:
    """A ratio rounded down, lest what is shown reaches what was not reached."""
    return f"{math.floor(10 * ratio) / 10:.1f}"


def equal(results: Results, size: str) -> tuple[bool, bool]:
    """Whether the notebook's students, and plain Ray's, are as good as ours on so many images, within noise."""
    loop, plain, search = three(results, size)
    one, other = (same(accuracies(each), search["accuracies"], TESTS[size]) for each in (loop, plain))
    return one, other


def between(search: Results) -> float:
    """The share of the time from the first student's start to the last one's end that nobody trained in."""
    return 1 - (1 - search["share"]) * search["wall"] / (search["each"] * search["students"])


def fraction(search: Results, rate: float) -> float:
    """The part of a matrix-product rate that one worker reached over whole epochs on all images."""
    return EPOCH / mean(search["training"]) / rate


def speed(results: Results) -> float:
    """Operations per second of the matrix products in the precision that students train in, on one core."""
    return results["rates"][results["precision"]]
