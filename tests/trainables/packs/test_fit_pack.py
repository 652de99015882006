"""The students of a pack are the students trained alone, up to rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.fit import Diverged, EpochResult, TrainingState, fit
from trainables.optim import OPTIMIZERS, SCHEDULES
from trainables.packs import pack_epoch
from trainables.packs.fit_pack import fit_pack
from trainables.packs.pack_key import PACKABLE_NETWORKS, pack_key

Make = Callable[..., Recipe]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
MLP = {"name": "mlp", "hidden": [16]}
DROPOUT_MLP = {"name": "mlp", "hidden": [16], "dropout": 0.2, "input_dropout": 0.1}
TEACHER = {"model": {"name": "mlp", "hidden": [16]}}
CNN_TEACHER = {"model": {"name": "cnn3", "width": 4}}
# Small networks by name.
SMALL: dict[str, list[dict[str, Any]]] = {
    "mlp": [MLP, DROPOUT_MLP, {"name": "mlp", "hidden": [8], "subclasses": 2}],
    "cnn": [{"name": "cnn"}],
    "cnn3": [{"name": "cnn3", "width": 8, "normalize": "cifar"}, {"name": "cnn3", "width": 8, "resize": 12}],
    "plain_cnn": [{"name": "plain_cnn"}],
    "resnet_cifar": [
        {"name": "resnet_cifar", "depth": 8},
        {"name": "resnet_cifar", "depth": 11, "block": "bottleneck", "preactivation": True, "shortcut": "pad"},
    ],
}
DECOUPLED = {"name": "decoupled", "alpha": 0.5, "temperature": 4.0}
LAYERS = {"guided": "relu1", "hint": "relu1"}
# Two students by method, with knobs that may differ in a pack.
METHODS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "none"}, {"name": "none"}),
    # a default and another value
    (DECOUPLED, DECOUPLED | {"beta": 2.0}),
    ({"name": "smoothing", "alpha": 0.1}, {"name": "smoothing", "alpha": 0.4}),
    ({"name": "attention", **LAYERS, "alpha": 0.1}, {"name": "attention", **LAYERS, "alpha": 0.4}),
    ({"name": "hint", **LAYERS, "alpha": 0.1}, {"name": "hint", **LAYERS, "alpha": 0.4}),
    *(({"name": name, "alpha": 0.3, "temperature": 1.0}, {"name": name, "alpha": 0.9, "temperature": 8})
      for name in ("hinton", "decoupled", "dist", "standardized", "subclass")),
    *(({"name": name, **LAYERS, "alpha": 0.3}, {"name": name, **LAYERS, "alpha": 0.6, "beta": 0.1})
      for name in ("projected", "variational")),
    tuple({"name": "review", "guided": ["relu1"], "hint": ["relu1"], "alpha": alpha} for alpha in (0.3, 0.6)),
    ({"name": "fitnets", **LAYERS, "alpha": 0.5, "temperature": 4.0, "hint_epochs": 1},) * 2,
    ({"name": "boundary", "guided": "linear1", "hint": "linear1", "alpha": 0.5, "temperature": 4.0,
      "hint_epochs": 1},) * 2,
]  # fmt: skip


@pytest.fixture
def tolerance(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Train in float64, where an error is larger than rounding; return the tolerance."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield 1e-7
    torch.set_default_dtype(torch.float32)


def copy_result(result: EpochResult) -> EpochResult:
    parts = ({name: value.clone() for name, value in part.items()} for part in result.state[2:])
    return result._replace(state=TrainingState(result.epoch, 0.0, *parts))


def train_alone(recipes: Sequence[Recipe], data: DistillationData) -> list[list[EpochResult]]:
    return [[copy_result(result) for result in fit(recipe, data)] for recipe in recipes]


def train_pack(
    recipes: Sequence[Recipe], data: DistillationData, starts: Sequence[TrainingState] = (), **options: Any
) -> list[list[EpochResult]]:
    students: list[list[EpochResult]] = [[] for _ in recipes]
    for results in fit_pack(recipes, data, starts=starts, **options):
        for index, result in results.items():
            assert isinstance(result, EpochResult)
            students[index].append(copy_result(result))
    return students


def assert_same(
    students: Sequence[Sequence[EpochResult]], expected: Sequence[Sequence[EpochResult]], tolerance: float = 1e-5
) -> None:
    for student, expected_student in zip(students, expected, strict=True):
        assert [result.epoch for result in student] == [result.epoch for result in expected_student]
        for left, right in zip(student, expected_student, strict=True):
            for part in (2, 3, 4):
                assert list(left.state[part]) == list(right.state[part])
                assert_close(left.state[part], right.state[part], rtol=tolerance, atol=tolerance)
            scores = ("train_loss", "val_loss", "lr")
            assert [getattr(left, name) for name in scores] == pytest.approx(
                [getattr(right, name) for name in scores], rel=10 * tolerance
            )
            assert left.val_accuracy == pytest.approx(right.val_accuracy, abs=0.01)


def grid(recipe: Make, model: dict[str, Any] | None, methods: Sequence[dict[str, Any]], **train: Any) -> list[Recipe]:
    """Two seeds of each method."""
    teacher = {"teacher": None if methods[0]["name"] == "none" else TEACHER} | train
    return [recipe(model, method, **teacher, seed=seed) for seed in (0, 1) for method in methods]


@pytest.mark.parametrize("methods", METHODS, ids=lambda methods: methods[0]["name"])
def test_methods(recipe: Make, digits: Dataset, tolerance: float, methods: tuple[dict[str, Any], ...]) -> None:
    # Adam amplifies rounding where a batch norm leaves almost no gradient.
    train = {"optimizer": "sgd", "lr": 0.001} if methods[0]["name"] == "review" else {}
    recipes = grid(recipe, DROPOUT_MLP, methods, epochs=2, **train)
    assert len({pack_key(student) for student in recipes}) == 1
    data = dummy_distillation_data(recipes[0], digits.take(320, 50, 50))
    assert_same(train_pack(recipes, data), train_alone(recipes, data), tolerance)


@pytest.mark.parametrize("model", [model for models in SMALL.values() for model in models], ids=str)
def test_networks(recipe: Make, digits: Dataset, tolerance: float, model: dict[str, Any]) -> None:
    # SGD, because Adam enlarges rounding errors: a bias before batch norm has no other gradient.
    recipes = [
        recipe(model, HINTON, teacher=TEACHER, seed=seed, lr=lr, optimizer="sgd", epochs=2)
        for seed, lr in ((0, 0.001), (0, 0.002), (1, 0.001))
    ]
    data = dummy_distillation_data(recipes[0], digits.take(128, 50, 50))
    assert_same(train_pack(recipes, data), train_alone(recipes, data), tolerance)


def test_every_packable_network_is_tested() -> None:
    assert SMALL.keys() == PACKABLE_NETWORKS


# Each optimizer and each schedule, not each pair: one takes a step, the other sets its rate.
LONGEST = max(len(OPTIMIZERS), len(SCHEDULES))
PAIRS = [*islice(zip(cycle(sorted(OPTIMIZERS)), cycle(sorted(SCHEDULES)), strict=False), LONGEST)]


@pytest.mark.parametrize(("optimizer", "schedule"), PAIRS)
def test_rates_and_decays(recipe: Make, distillation_data: DistillationData, optimizer: str, schedule: str) -> None:
    rates = [(0.01, 0.0), (0.003, 0.05), (0.01, 0.05)]
    train = {"schedule": schedule, "milestones": [2] if schedule == "step" else None, "warmup": 1}
    recipes = [
        recipe(DROPOUT_MLP, HINTON, teacher={}, lr=lr, weight_decay=decay, optimizer=optimizer, **train)
        for lr, decay in rates
    ]
    assert_same(train_pack(recipes, distillation_data), train_alone(recipes, distillation_data))


TRAININGS: list[dict[str, Any]] = [
    *({"shift": 1}, {"augment": {"views": 3, "crop": 1, "rotate": 10}}, {"class_weights": [*range(1, 11)]}),
    *({"max_norm": 0.5}, {"omit": {"classes": [3]}}, {"batch_size": 5000}),
]


@pytest.mark.parametrize("train", TRAININGS, ids=str)
def test_trainings(recipe: Make, digits: Dataset, train: dict[str, Any]) -> None:
    recipes = grid(recipe, DROPOUT_MLP, [HINTON, HINTON | {"alpha": 0.9}], **{"epochs": 2} | train)
    data = dummy_distillation_data(recipes[0], digits.take(320, 50, 50))
    assert_same(train_pack(recipes, data), train_alone(recipes, data))


def test_teacher_layers_of_augmented_images(recipe: Make, digits: Dataset, tolerance: float) -> None:
    method = {"name": "attention", "guided": "pool1", "hint": "pool1", "alpha": 0.5}
    train = {"teacher": CNN_TEACHER, "shift": 1, "optimizer": "sgd", "lr": 0.001, "epochs": 2}
    recipes = grid(recipe, {"name": "cnn3", "width": 4}, [method, method | {"beta": 10.0}], **train)
    data = dummy_distillation_data(recipes[0], digits.take(128, 50, 50))
    assert_same(train_pack(recipes, data), train_alone(recipes, data), tolerance)


@pytest.mark.parametrize("model", [DROPOUT_MLP, {"name": "plain_cnn"}], ids=["mlp", "cnn"])
def test_bfloat16_is_the_same_within_its_rounding(
    recipe: Make, distillation_data: DistillationData, model: dict[str, Any]
) -> None:
    recipes = [recipe(model, HINTON, teacher={}, precision="bfloat16", optimizer="sgd", seed=seed) for seed in (0, 1)]
    pack, expected_pack = train_pack(recipes, distillation_data), train_alone(recipes, distillation_data)
    for student, expected in zip(pack, expected_pack, strict=True):
        losses = [result.train_loss for result in student]
        assert losses == pytest.approx([result.train_loss for result in expected], rel=2e-2)


def test_students_of_one_seed_share_their_batches(
    recipe: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def record_sizes(*arguments: Any) -> Iterator[Any]:
        for batch in epoch_batches(*arguments):
            sizes.append(batch.images.shape[0])
            yield batch

    epoch_batches = pack_epoch.epoch_batches
    monkeypatch.setattr(pack_epoch, "epoch_batches", record_sizes)
    recipes = [recipe(MLP, HINTON | {"alpha": alpha}, teacher=TEACHER, epochs=1) for alpha in (0.1, 0.5, 0.9)]
    train_pack(recipes, dummy_distillation_data(recipes[0], digits))
    assert set(sizes) == {64}


def test_stopped_students_leave_the_others_unchanged(recipe: Make, distillation_data: DistillationData) -> None:
    recipes = [recipe(DROPOUT_MLP, HINTON, teacher={}, lr=lr, seed=seed) for lr in (0.01, 0.003) for seed in (0, 1)]
    students = train_pack(recipes, distillation_data, is_stopped=lambda index: index in (1, 2))
    assert [len(results) for results in students] == [3, 1, 1, 3]
    expected = train_alone(recipes, distillation_data)
    assert_same([students[0], students[3]], [expected[0], expected[3]])


def test_all_students_stopped(recipe: Make, distillation_data: DistillationData) -> None:
    recipes = [recipe(MLP, HINTON, teacher={}, seed=seed) for seed in (0, 1)]
    epochs = fit_pack(recipes, distillation_data, is_stopped=lambda index: True)
    assert [list(results) for results in epochs] == [[0, 1]]


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_diverged_student_is_yielded_once(recipe: Make, labels: DistillationData, epochs: int) -> None:
    recipes = [recipe(lr=lr, optimizer="sgd", epochs=epochs) for lr in (0.01, 1e12, 0.02)]
    results = list(fit_pack(recipes, labels))
    assert [set(epoch) for epoch in results] == [{0, 1, 2}, *[{0, 2}] * (epochs - 1)]
    assert isinstance(results[0][1], Diverged) and "in epoch 1" in str(results[0][1])
    for index, expected in zip((0, 2), train_alone([recipes[0], recipes[2]], labels), strict=True):
        losses = [epoch[index].val_loss for epoch in results]  # type: ignore[union-attr]
        assert losses == pytest.approx([result.val_loss for result in expected], rel=1e-4)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_states_continue_expected_packand_in_a_pack(
    recipe: Make, distillation_data: DistillationData, optimizer: str
) -> None:
    recipes = [recipe(DROPOUT_MLP, HINTON, teacher={}, lr=lr, optimizer=optimizer) for lr in (0.01, 0.003)]
    complete, pack = train_alone(recipes, distillation_data), train_pack(recipes, distillation_data)
    expected = [results[1:] for results in complete]
    assert_same(train_pack(recipes, distillation_data, [results[0].state for results in complete]), expected)
    continued = [
        [copy_result(result) for result in fit(student, distillation_data, start=results[0].state)]
        for student, results in zip(recipes, pack, strict=True)
    ]
    assert_same(continued, expected)


def test_seconds_are_divided_equally(recipe: Make, distillation_data: DistillationData) -> None:
    recipes = [recipe(MLP, HINTON, teacher={}, seed=seed) for seed in (0, 1)]
    results = list(fit_pack(recipes, distillation_data))
    for epoch in results:
        assert epoch[0].epoch_seconds == epoch[1].epoch_seconds > 0  # type: ignore[union-attr]
    seconds = sum(epoch[0].epoch_seconds for epoch in results)  # type: ignore[union-attr]
    assert results[-1][0].state.total_seconds == pytest.approx(seconds)  # type: ignore[union-attr]


def test_global_state_is_unchanged(recipe: Make, labels: DistillationData) -> None:
    torch.manual_seed(3)
    before: Tensor = torch.get_rng_state()
    list(fit_pack([recipe(), recipe(seed=1)], labels))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not array.flags.writeable for split in labels.data[:3] for array in split)


def test_teacher_logits_belong_to_their_images(recipe: Make, digits: Dataset) -> None:
    import numpy as np

    small = digits.take(60, 50, 50)
    logits = 10 * np.eye(10, dtype=np.float32)[np.random.default_rng(0).integers(0, 10, 60)]
    data = DistillationData(small, TeacherOutputs(logits, logits, logits))
    method = {"name": "hinton", "alpha": 1.0, "temperature": 1.0}
    model = {"name": "mlp", "hidden": [128]}
    recipes = [recipe(model, method, teacher={}, seed=seed, batch_size=20, epochs=40) for seed in (0, 1)]
    assert all(results[-1].train_loss < 0.05 for results in train_pack(recipes, data))
