"""A training continued from a checkpoint equals an uninterrupted one, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import pytest

from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult, TrainingState, fit
from trainables.optim import OPTIMIZERS, SCHEDULES

Make = Callable[..., Recipe]
Run = Callable[..., list[EpochResult]]
Same = Callable[[list[EpochResult], list[EpochResult]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


def on_disk(path: Path, state: TrainingState) -> TrainingState:
    checkpoint.save_checkpoint(path, state)
    return checkpoint.load_checkpoint(path)


# Each optimizer and each schedule, not each pair: a state holds the tensors of the one and the epoch of the other.
LONGEST = max(len(OPTIMIZERS), len(SCHEDULES))
PAIRS = [*islice(zip(cycle(sorted(OPTIMIZERS)), cycle(sorted(SCHEDULES)), strict=False), LONGEST)]
PRECISIONS = [*zip(sorted(OPTIMIZERS), cycle(("float32", "bfloat16")), strict=False)]


@pytest.mark.parametrize(("optimizer", "schedule"), PAIRS)
def test_continue_from_any_epoch(
    recipe: Make,
    run: Run,
    same: Same,
    distillation_data: DistillationData,
    tmp_path: Path,
    optimizer: str,
    schedule: str,
) -> None:
    train = {"optimizer": optimizer, "schedule": schedule, "milestones": [2] if schedule == "step" else None}
    student = recipe(None, HINTON, teacher={}, warmup=1, epochs=4, weight_decay=0.01, **train)
    results = run(student, distillation_data)
    assert len({result.val_loss for result in results}) == 4
    for result in results:
        rest = run(student, distillation_data, on_disk(tmp_path / "state", result.state))
        assert same(rest, results[result.epoch :])


@pytest.mark.parametrize(("optimizer", "precision"), PRECISIONS)
def test_continue_a_convolutional_network(
    recipe: Make, run: Run, same: Same, digits: Dataset, tmp_path: Path, optimizer: str, precision: str
) -> None:
    # Its weights are channels last in memory, but not in a file.
    small = DistillationData(digits.take(192, 50, 50), None)
    student = recipe({"name": "cnn"}, optimizer=optimizer, precision=precision, lr=0.001)
    first, *rest = run(student, small)
    assert same(run(student, small, on_disk(tmp_path / "state", first.state)), rest)


def test_continue_with_shift_and_max_norm(
    recipe: Make, run: Run, same: Same, labels: DistillationData, tmp_path: Path
) -> None:
    student = recipe(shift=1, max_norm=0.5)
    first, *rest = run(student, labels)
    assert same(run(student, labels, on_disk(tmp_path / "state", first.state)), rest)


def test_a_state_can_be_used_twice(recipe: Make, run: Run, same: Same, labels: DistillationData) -> None:
    first, *rest = run(recipe(), labels)
    assert same(run(recipe(), labels, first.state), rest)
    assert same(run(recipe(), labels, first.state), rest)


def test_seconds_add_up(recipe: Make, labels: DistillationData) -> None:
    first = next(fit(recipe(), labels))
    second = next(fit(recipe(), labels, start=first.state._replace(total_seconds=100.0)))
    assert second.state.total_seconds == pytest.approx(100 + second.epoch_seconds)
