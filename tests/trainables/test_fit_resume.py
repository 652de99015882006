"""Stopped after any epoch and gone on with from a file, a training ends as if it had never been stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import Epoch, State, fit
from trainables.optim import OPTIMIZERS, SCHEDULES

Make = Callable[..., Recipe]
Run = Callable[..., list[Epoch]]
Same = Callable[[list[Epoch], list[Epoch]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


def on_disk(path: Path, state: State) -> State:
    checkpoint.save(path, state)
    return checkpoint.load(path)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_going_on_from_any_epoch_changes_nothing(
    recipe: Make, run: Run, same: Same, lesson: DistillationData, tmp_path: Path, optimizer: str, schedule: str
) -> None:
    train = {"optimizer": optimizer, "schedule": schedule, "milestones": [2] if schedule == "step" else None}
    wanted = recipe(None, HINTON, teacher={}, warmup=1, epochs=4, weight_decay=0.01, **train)
    whole = run(wanted, lesson)
    assert len({each.val_loss for each in whole}) == 4
    for each in whole:
        rest = run(wanted, lesson, on_disk(tmp_path / "state", each.state))
        assert same(rest, whole[each.epoch :])


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_convolutional_net_goes_on_as_well(
    recipe: Make, run: Run, same: Same, digits: Dataset, tmp_path: Path, optimizer: str, precision: str
) -> None:
    # Its weights lie in memory with channels last, as no file keeps them.
    small = DistillationData(digits.take(320, 50, 50), None)
    wanted = recipe({"name": "cnn"}, optimizer=optimizer, precision=precision, lr=0.001)
    first, *rest = run(wanted, small)
    assert same(run(wanted, small, on_disk(tmp_path / "state", first.state)), rest)


def test_shift_and_limits_go_on_as_well(
    recipe: Make, run: Run, same: Same, labels: DistillationData, tmp_path: Path
) -> None:
    wanted = recipe(shift=1, max_norm=0.5)
    first, *rest = run(wanted, labels)
    assert same(run(wanted, labels, on_disk(tmp_path / "state", first.state)), rest)


def test_one_state_serves_twice(recipe: Make, run: Run, same: Same, labels: DistillationData) -> None:
    first, *rest = run(recipe(), labels)
    assert same(run(recipe(), labels, first.state), rest)
    assert same(run(recipe(), labels, first.state), rest)


def test_seconds_add_up_over_a_stop(recipe: Make, labels: DistillationData) -> None:
    first = next(fit(recipe(), labels))
    second = next(fit(recipe(), labels, start=first.state._replace(seconds=100.0)))
    assert second.state.seconds == pytest.approx(100 + second.seconds)
