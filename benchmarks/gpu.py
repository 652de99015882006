"""Packs against the eager loop of one student after another, on one and the same GPU: `python -m benchmarks.gpu`.

Both have everything resident on the device and train the same students; the loss of one is compared. Images and the
teacher's answers are random, for no time depends on them. It needs torch, numpy and pydantic, neither Ray nor Optuna.
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
from trainables.device import describe, fastest_precision
from trainables.distillation_data import DistillationData
from trainables.fit import Epoch, fit
from trainables.packs import fit_pack

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


class Case(NamedTuple):
    """Students to train, the shape of their images, the largest pack to try and the ratio that is aimed at."""

    name: str
    model: dict[str, Any]
    shape: tuple[int, int, int]
    batch: int
    pack: int
    goal: float


class Line(NamedTuple):
    """Seconds per student and epoch both ways, the largest difference in a loss, and the pack's peak memory in MiB."""

    case: Case
    students: int
    alone: float
    together: float
    apart: float
    memory: float

    @property
    def ratio(self) -> float:
        """How many times as many students per hour."""
        return self.alone / self.together


CASES = [
    Case("MLP 64-64", {"name": "mlp", "hidden": [64, 64]}, GREY, 256, 512, 50),
    Case("MLP 784-784", {"name": "mlp", "hidden": [784, 784]}, GREY, 256, 128, 50),
    Case("small CNN", {"name": "cnn3", "width": 8}, GREY, 256, 64, 5),
    Case("plain CNN, 2 layers", {"name": "plain_cnn"}, COLOUR, 128, 64, 5),
    Case("ResNet-20", {"name": "resnet_cifar", "depth": 20}, COLOUR, 128, 16, 1.5),
    Case("ResNet-56", {"name": "resnet_cifar", "depth": 56}, COLOUR, 128, 8, 1.5),
]
TINY = [
    Case("MLP 8", {"name": "mlp", "hidden": [8]}, (1, 8, 8), 32, 4, 50),
    Case("ResNet-8", {"name": "resnet_cifar", "depth": 8}, (3, 8, 8), 32, 2, 1.5),
]


def students(case: Case, n: int, epochs: int, precision: str) -> list[Recipe]:
    """A grid of alpha by seeds and rates, as a search would ask for."""
    alphas = (0.1, 0.5, 0.9, 0.99)
    tree = {"data": {"name": "random"}, "student": {"model": case.model}}
    method = [{"name": "hinton", "alpha": alphas[i % 4], "temperature": 4.0} for i in range(n)]
    train = {"epochs": epochs, "batch_size": case.batch, "precision": precision}
    teacher = {"model": {"name": "mlp", "hidden": [16]}}
    return [
        Recipe.model_validate(tree | {"teacher": teacher, "method": method[i], "train": train, "seed": i // 4})
        for i in range(n)
    ]


def images(shape: tuple[int, int, int], n: int) -> Dataset:
    """Random images, n to train on and a sixth as many to validate on."""
    draw = np.random.default_rng(0)
    train, val, test = (
        Split(draw.integers(0, 256, (size, *shape), np.uint8), draw.integers(0, 10, size))
        for size in (n, max(1, n // 6), 1)
    )
    return Dataset(train, val, test, classes=tuple("0123456789"), source="random", split="random", name="random")


def measure(case: Case, n: int, epochs: int, precision: str) -> Iterator[Line]:
    """Packs from small to large, until memory ends; the first epoch of each training only warms up."""
    recipes = students(case, case.pack, epochs + 1, precision)
    lesson = dummy_distillation_data(recipes[0], images(case.shape, n))
    alone = list(fit(recipes[0], lesson))
    seconds = mean(epoch.seconds for epoch in alone[1:])
    size = min(4, case.pack)
    while size <= case.pack:
        try:
            together, memory = _packed(recipes[:size], lesson)
        except torch.OutOfMemoryError:
            return
        apart = max(abs(a.val_loss - b.val_loss) for a, b in zip(alone, together, strict=True))
        yield Line(case, size, seconds, mean(epoch.seconds for epoch in together[1:]), apart, memory)
        size *= 4


def _packed(recipes: Sequence[Recipe], lesson: DistillationData) -> tuple[list[Epoch], float]:
    """The epochs of a pack's first student, whose seconds are its share, and MiB on the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    found = [told[0] for told in fit_pack.fit(recipes, lesson)]
    peak = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else float("nan")
    return [epoch for epoch in found if isinstance(epoch, Epoch)], peak


def table(lines: Sequence[Line], images: int, epochs: int, precision: str) -> str:
    """The lines in Markdown, under what they were measured on."""
    head = f"{describe()}, torch {torch.__version__}, {date.today()}, {precision}, {images:,} random images"
    rows = [
        f"| {line.case.name} | {line.students} | {line.alone:.4f} | {line.together:.4f} | "
        f"{3600 / line.alone:,.0f} | {3600 / line.together:,.0f} | {line.ratio:.1f}× | ≥ {line.case.goal:g}× | "
        f"{line.apart:.1e} | {line.memory:,.0f} |"
        for line in lines
    ]
    columns = "students|s alone|s packed|per hour alone|per hour packed|ratio|goal|largest Δ val loss|MiB"
    names = f"| network | {columns.replace('|', ' | ')} |"
    rule = "|---|" + "---:|" * (columns.count("|") + 1)
    note = f"Seconds per student and epoch, the mean of {epochs} after one to warm up; n = 1 training each way."
    return "\n".join([f"{head}. {note}", "", names, rule, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table, line by line on the way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--images", type=int, default=60_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=2, help="to time, after one to warm up")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default=fastest_precision())
    parser.add_argument("--tiny", action="store_true", help="seconds on a processor, to see that it runs")
    given = parser.parse_args(arguments)
    n, lines = (96 if given.tiny else given.images), []
    for case in TINY if given.tiny else CASES:
        for line in measure(case, n, given.epochs, given.precision):
            print(f"{case.name}, {line.students} students: {line.ratio:.1f}×", flush=True)
            lines.append(line)
    print("\n" + table(lines, n, given.epochs, given.precision))


if __name__ == "__main__":
    main()
