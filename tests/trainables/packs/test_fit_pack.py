"""Students of a pack are the students trained alone, up to rounding, whatever they share and wherever they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables import fit as alone
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.fit import Diverged, Epoch, State
from trainables.optim import OPTIMIZERS, SCHEDULES
from trainables.packs import fit_pack
from trainables.packs.alike import NETWORKS, pack_key

Make = Callable[..., Recipe]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
MLP = {"name": "mlp", "hidden": [16]}
DROPPING = {"name": "mlp", "hidden": [16], "dropout": 0.2, "input_dropout": 0.1}
TEACHER = {"model": {"name": "mlp", "hidden": [16]}}
CNN_TEACHER = {"model": {"name": "cnn3", "width": 4}}
# By network: knobs of a small one.
SMALL: dict[str, list[dict[str, Any]]] = {
    "mlp": [MLP, DROPPING, {"name": "mlp", "hidden": [8], "subclasses": 2}],
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
# By method: knobs of one student of each of two kinds that may share a pack.
METHODS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "none"}, {"name": "none"}),
    # The default of a knob differs from a value that is given.
    (DECOUPLED, DECOUPLED | {"beta": 2.0}),
    ({"name": "smoothing", "alpha": 0.1}, {"name": "smoothing", "alpha": 0.4}),
    ({"name": "attention", **LAYERS, "alpha": 0.1}, {"name": "attention", **LAYERS, "alpha": 0.4}),
    ({"name": "hint", **LAYERS, "alpha": 0.1}, {"name": "hint", **LAYERS, "alpha": 0.4}),
    *(({"name": name, "alpha": 0.3, "temperature": 1.0}, {"name": name, "alpha": 0.9, "temperature": 8})
      for name in ("hinton", "decoupled", "dist", "standardized", "subclass")),
    ({"name": "fitnets", **LAYERS, "alpha": 0.5, "temperature": 4.0, "hint_epochs": 1},) * 2,
]  # fmt: skip


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Train in float64, where a mistake cannot pass for rounding; return how close equal trainings then are."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield 1e-7
    torch.set_default_dtype(torch.float32)


def kept(epoch: Epoch) -> Epoch:
    parts = ({name: value.clone() for name, value in part.items()} for part in epoch.state[2:])
    return epoch._replace(state=State(epoch.epoch, 0.0, *parts))


def apart(recipes: Sequence[Recipe], lesson: DistillationData) -> list[list[Epoch]]:
    return [[kept(epoch) for epoch in alone.fit(recipe, lesson)] for recipe in recipes]


def together(recipes: Sequence[Recipe], lesson: DistillationData, starts: Sequence[State] = ()) -> list[list[Epoch]]:
    found: list[list[Epoch]] = [[] for _ in recipes]
    for told in fit_pack.fit(recipes, lesson, starts=starts):
        for place, epoch in told.items():
            assert isinstance(epoch, Epoch)
            found[place].append(kept(epoch))
    return found


def assert_same(some: Sequence[Sequence[Epoch]], others: Sequence[Sequence[Epoch]], rounding: float = 1e-5) -> None:
    for one, other in zip(some, others, strict=True):
        assert [each.epoch for each in one] == [each.epoch for each in other]
        for mine, yours in zip(one, other, strict=True):
            for part in (0, 1, 2):
                left, right = mine.state[2 + part], yours.state[2 + part]
                assert list(left) == list(right)
                assert_close(left, right, rtol=rounding, atol=rounding)
            scores = ("train_loss", "val_loss", "lr")
            assert [getattr(mine, name) for name in scores] == pytest.approx(
                [getattr(yours, name) for name in scores], rel=10 * rounding
            )
            assert mine.val_accuracy == pytest.approx(yours.val_accuracy, abs=0.01)


def grid(recipe: Make, model: dict[str, Any] | None, methods: Sequence[dict[str, Any]], **train: Any) -> list[Recipe]:
    """Two seeds of each method."""
    teacher = {"teacher": None if methods[0]["name"] == "none" else TEACHER} | train
    return [recipe(model, method, **teacher, seed=seed) for seed in (0, 1) for method in methods]


@pytest.mark.parametrize("methods", METHODS, ids=lambda methods: methods[0]["name"])
def test_over_methods(recipe: Make, digits: Dataset, exact: float, methods: tuple[dict[str, Any], ...]) -> None:
    recipes = grid(recipe, DROPPING, methods, epochs=2)
    assert len({pack_key(each) for each in recipes}) == 1
    lesson = dummy_distillation_data(recipes[0], digits.take(320, 50, 50))
    assert_same(together(recipes, lesson), apart(recipes, lesson), exact)


@pytest.mark.parametrize("model", [each for some in SMALL.values() for each in some], ids=str)
def test_over_networks(recipe: Make, digits: Dataset, exact: float, model: dict[str, Any]) -> None:
    # Not Adam: behind batch norm a bias has no gradient but rounding, which Adam makes as large as any other.
    recipes = [
        recipe(model, HINTON, teacher=TEACHER, seed=seed, lr=lr, optimizer="sgd", epochs=2)
        for seed, lr in ((0, 0.001), (0, 0.002), (1, 0.001))
    ]
    lesson = dummy_distillation_data(recipes[0], digits.take(128, 50, 50))
    assert_same(together(recipes, lesson), apart(recipes, lesson), exact)


def test_every_network_of_packs_is_tried() -> None:
    assert SMALL.keys() == NETWORKS


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_over_rates_and_decays(recipe: Make, lesson: DistillationData, optimizer: str, schedule: str) -> None:
    rates = [(0.01, 0.0), (0.003, 0.05), (0.01, 0.05)]
    train = {
        "optimizer": optimizer,
        "schedule": schedule,
        "milestones": [2] if schedule == "step" else None,
        "warmup": 1,
    }
    recipes = [recipe(DROPPING, HINTON, teacher={}, lr=lr, weight_decay=decay, **train) for lr, decay in rates]
    assert_same(together(recipes, lesson), apart(recipes, lesson))


TRAININGS: list[dict[str, Any]] = [
    *({"shift": 1}, {"augment": {"views": 3, "crop": 1, "rotate": 10}}, {"class_weights": [*range(1, 11)]}),
    *({"max_norm": 0.5}, {"omit": {"classes": [3]}}, {"batch_size": 5000}),
]


@pytest.mark.parametrize("train", TRAININGS, ids=str)
def test_over_trainings(recipe: Make, digits: Dataset, train: dict[str, Any]) -> None:
    recipes = grid(recipe, DROPPING, [HINTON, HINTON | {"alpha": 0.9}], **{"epochs": 2} | train)
    lesson = dummy_distillation_data(recipes[0], digits.take(320, 50, 50))
    assert_same(together(recipes, lesson), apart(recipes, lesson))


def test_a_teacher_that_is_asked_for_views(recipe: Make, digits: Dataset, exact: float) -> None:
    method = {"name": "attention", "guided": "pool1", "hint": "pool1", "alpha": 0.5}
    train = {"teacher": CNN_TEACHER, "shift": 1, "optimizer": "sgd", "lr": 0.001, "epochs": 2}
    recipes = grid(recipe, {"name": "cnn3", "width": 4}, [method, method | {"beta": 10.0}], **train)
    lesson = dummy_distillation_data(recipes[0], digits.take(128, 50, 50))
    assert_same(together(recipes, lesson), apart(recipes, lesson), exact)


@pytest.mark.parametrize("model", [DROPPING, {"name": "plain_cnn"}], ids=["mlp", "cnn"])
def test_bfloat16_is_the_same_within_its_rounding(
    recipe: Make, lesson: DistillationData, model: dict[str, Any]
) -> None:
    recipes = [recipe(model, HINTON, teacher={}, precision="bfloat16", optimizer="sgd", seed=seed) for seed in (0, 1)]
    for mine, yours in zip(together(recipes, lesson), apart(recipes, lesson), strict=True):
        losses = ([each.train_loss for each in some] for some in (mine, yours))
        assert next(losses) == pytest.approx(next(losses), rel=2e-2)


def test_of_one_seed_batches_are_drawn_and_taught_once(
    recipe: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def watched(*arguments: Any) -> Iterator[Any]:
        for batch in batches(*arguments):
            shapes.append(batch.images.shape[0])
            yield batch

    batches = fit_pack.batches
    monkeypatch.setattr(fit_pack, "batches", watched)
    recipes = [recipe(MLP, HINTON | {"alpha": alpha}, teacher=TEACHER, epochs=1) for alpha in (0.1, 0.5, 0.9)]
    together(recipes, dummy_distillation_data(recipes[0], digits))
    assert set(shapes) == {64}


def test_who_stops_leaves_the_others_as_they_are(recipe: Make, lesson: DistillationData) -> None:
    recipes = [recipe(DROPPING, HINTON, teacher={}, lr=lr, seed=seed) for lr in (0.01, 0.003) for seed in (0, 1)]
    found: dict[int, list[Epoch]] = {place: [] for place in range(4)}
    for told in fit_pack.fit(recipes, lesson, over=lambda place: place in (1, 2)):
        for place, epoch in told.items():
            assert isinstance(epoch, Epoch)
            found[place].append(kept(epoch))
    assert [len(found[place]) for place in range(4)] == [3, 1, 1, 3]
    wanted = apart(recipes, lesson)
    assert_same([found[0], found[3]], [wanted[0], wanted[3]])


def test_nobody_is_left(recipe: Make, lesson: DistillationData) -> None:
    recipes = [recipe(MLP, HINTON, teacher={}, seed=seed) for seed in (0, 1)]
    assert [list(told) for told in fit_pack.fit(recipes, lesson, over=lambda place: True)] == [[0, 1]]


@pytest.mark.parametrize("last", [1, 3])
def test_who_diverges_is_told_once_and_touches_nobody(recipe: Make, labels: DistillationData, last: int) -> None:
    recipes = [recipe(lr=lr, optimizer="sgd", epochs=last) for lr in (0.01, 1e12, 0.02)]
    told = list(fit_pack.fit(recipes, labels))
    assert [set(each) for each in told] == [{0, 1, 2}, *[{0, 2}] * (last - 1)]
    assert isinstance(told[0][1], Diverged) and "in epoch 1" in str(told[0][1])
    wanted = apart([recipes[0], recipes[2]], labels)
    ends = [[each[place] for each in told] for place in (0, 2)]
    assert [[e.val_loss for e in some] for some in ends] == [  # type: ignore[union-attr]
        pytest.approx([e.val_loss for e in some], rel=1e-4) for some in wanted
    ]


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_state_goes_on_alone_and_in_a_pack(recipe: Make, lesson: DistillationData, optimizer: str) -> None:
    recipes = [recipe(DROPPING, HINTON, teacher={}, lr=lr, optimizer=optimizer) for lr in (0.01, 0.003)]
    whole, pack = apart(recipes, lesson), together(recipes, lesson)
    in_pack = together(recipes, lesson, [each[0].state for each in whole])
    assert_same(in_pack, [each[1:] for each in whole])
    on_their_own = [
        [kept(epoch) for epoch in alone.fit(recipe, lesson, start=each[0].state)]
        for recipe, each in zip(recipes, pack, strict=True)
    ]
    assert_same(on_their_own, [each[1:] for each in whole])


def test_seconds_are_shares(recipe: Make, lesson: DistillationData) -> None:
    recipes = [recipe(MLP, HINTON, teacher={}, seed=seed) for seed in (0, 1)]
    told = list(fit_pack.fit(recipes, lesson))
    for each in told:
        assert each[0].seconds == each[1].seconds > 0  # type: ignore[union-attr]
    assert told[-1][0].state.seconds == pytest.approx(sum(each[0].seconds for each in told))  # type: ignore[union-attr]


def test_nothing_global_is_left_behind(recipe: Make, labels: DistillationData) -> None:
    torch.manual_seed(3)
    before: Tensor = torch.get_rng_state()
    list(fit_pack.fit([recipe(), recipe(seed=1)], labels))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not (array.flags.writeable) for split in labels.data[:3] for array in split)


def test_an_answer_of_each_image_stays_its_own(recipe: Make, digits: Dataset) -> None:
    import numpy as np

    few = digits.take(60, 50, 50)
    answers = 10 * np.eye(10, dtype=np.float32)[np.random.default_rng(0).integers(0, 10, 60)]
    lesson = DistillationData(few, TeacherOutputs(answers, answers, answers))
    method = {"name": "hinton", "alpha": 1.0, "temperature": 1.0}
    recipes = [
        recipe({"name": "mlp", "hidden": [128]}, method, teacher={}, seed=s, batch_size=20, epochs=40) for s in (0, 1)
    ]
    assert all(each[-1].train_loss < 0.05 for each in together(recipes, lesson))
