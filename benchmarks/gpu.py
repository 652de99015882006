"""Packs compared with training one student after another, on the same GPU: `python -m benchmarks.gpu`.

Both keep all data on the device and train the same students; the validation loss of one is compared. Images and teacher
outputs are random, which does not change the speed. It needs torch, numpy and pydantic, but neither Ray nor Optuna.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator, Sequence
from datetime import date
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import torch

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables.data import Dataset, Split
from trainables.device import device_name, fastest_precision
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult, fit
from trainables.packs import fit_pack

GRAY, COLOR = (1, 28, 28), (3, 32, 32)


class Case(NamedTuple):
    """Students, shape of the images, largest pack, and target speed-up."""

    name: str
    model: dict[str, Any]
    shape: tuple[int, int, int]
    batch: int
    pack: int
    goal: float


class PackResult(NamedTuple):
    """Seconds per student-epoch alone and packed, largest loss difference, peak memory in MiB."""

    case: Case
    students: int
    sequential_seconds: float
    packed_seconds: float
    loss_difference: float
    memory: float

    @property
    def speedup(self) -> float:
        """Return the ratio of students per hour."""
        return self.sequential_seconds / self.packed_seconds


CASES = [
    Case("MLP 64-64", {"name": "mlp", "hidden": [64, 64]}, GRAY, 256, 512, 50),
    Case("MLP 784-784", {"name": "mlp", "hidden": [784, 784]}, GRAY, 256, 128, 50),
    Case("small CNN", {"name": "cnn3", "width": 8}, GRAY, 256, 64, 5),
    Case("plain CNN, 2 layers", {"name": "plain_cnn"}, COLOR, 128, 64, 5),
    Case("ResNet-20", {"name": "resnet_cifar", "depth": 20}, COLOR, 128, 16, 1.5),
    Case("ResNet-56", {"name": "resnet_cifar", "depth": 56}, COLOR, 128, 8, 1.5),
]
TINY = [
    Case("MLP 8", {"name": "mlp", "hidden": [8]}, (1, 8, 8), 32, 4, 50),
    Case("ResNet-8", {"name": "resnet_cifar", "depth": 8}, (3, 8, 8), 32, 2, 1.5),
]


def student_recipes(case: Case, n: int, epochs: int, precision: str) -> list[Recipe]:
    """Return a grid of alphas and seeds, as in a search."""
    alphas = (0.1, 0.5, 0.9, 0.99)
    tree = {"data": {"name": "random"}, "student": {"model": case.model}}
    method = [{"name": "hinton", "alpha": alphas[i % 4], "temperature": 4.0} for i in range(n)]
    train = {"epochs": epochs, "batch_size": case.batch, "precision": precision}
    teacher = {"model": {"name": "mlp", "hidden": [16]}}
    return [
        Recipe.model_validate(tree | {"teacher": teacher, "method": method[i], "train": train, "seed": i // 4})
        for i in range(n)
    ]


def random_data(shape: tuple[int, int, int], n: int) -> Dataset:
    """Return random images, n for training and n / 6 for validation."""
    random = np.random.default_rng(0)
    train, val, test = (
        Split(random.integers(0, 256, (size, *shape), np.uint8), random.integers(0, 10, size))
        for size in (n, max(1, n // 6), 1)
    )
    return Dataset(train, val, test, classes=tuple("0123456789"), source="random", split="random", name="random")


def measure_packs(case: Case, n: int, epochs: int, precision: str) -> Iterator[PackResult]:
    """Measure packs of 4, 16, 64, … students until memory runs out.

    The first epoch of each training is a warm-up.
    """
    recipes = student_recipes(case, case.pack, epochs + 1, precision)
    data = dummy_distillation_data(recipes[0], random_data(case.shape, n))
    sequential = list(fit(recipes[0], data))
    seconds = mean(epoch.epoch_seconds for epoch in sequential[1:])
    size = min(4, case.pack)
    while size <= case.pack:
        try:
            packed, memory = _fit_packed(recipes[:size], data)
        except torch.OutOfMemoryError:
            return
        difference = max(abs(a.val_loss - b.val_loss) for a, b in zip(sequential, packed, strict=True))
        yield PackResult(case, size, seconds, mean(epoch.epoch_seconds for epoch in packed[1:]), difference, memory)
        size *= 4


def _fit_packed(recipes: Sequence[Recipe], data: DistillationData) -> tuple[list[EpochResult], float]:
    """Return the epochs of a pack's first student and the peak GPU memory in MiB.

    The seconds of an epoch are the student's share of the pack's.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    epochs = [results[0] for results in fit_pack.fit_pack(recipes, data)]
    peak = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else float("nan")
    return [epoch for epoch in epochs if isinstance(epoch, EpochResult)], peak


def pack_table(results: Sequence[PackResult], images: int, epochs: int, precision: str) -> str:
    """Return the results as Markdown, with the conditions first."""
    head = f"{device_name()}, torch {torch.__version__}, {date.today()}, {precision}, {images:,} random images"
    rows = [
        f"| {result.case.name} | {result.students} | {result.sequential_seconds:.4f} | {result.packed_seconds:.4f} | "
        f"{3600 / result.sequential_seconds:,.0f} | {3600 / result.packed_seconds:,.0f} | {result.speedup:.1f}× | "
        f"≥ {result.case.goal:g}× | {result.loss_difference:.1e} | {result.memory:,.0f} |"
        for result in results
    ]
    columns = (
        "students|one by one, s|packed, s|one by one, per hour|packed, per hour|speed-up|target|"
        "largest difference of validation loss|MiB"
    )
    names = f"| network | {columns.replace('|', ' | ')} |"
    rule = "|---|" + "---:|" * (columns.count("|") + 1)
    note = f"Seconds per student-epoch, mean of {epochs} epochs after one warm-up epoch; n = 1 training each."
    return "\n".join([f"{head}. {note}", "", names, rule, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print every result and the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--images", type=int, default=60_000, help="number of training images")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs, after one warm-up epoch")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=fastest_precision())
    parser.add_argument("--tiny", action="store_true", help="a test of a few seconds on a CPU")
    options = parser.parse_args(arguments)
    images, results = (96 if options.tiny else options.images), []
    for case in TINY if options.tiny else CASES:
        for result in measure_packs(case, images, options.epochs, options.precision):
            print(f"{case.name}, {result.students} students: {result.speedup:.1f}×", flush=True)
            results.append(result)
    print("\n" + pack_table(results, images, options.epochs, options.precision))


if __name__ == "__main__":
    main()
