"""Checks of a space, with file, line and expected value in each message."""

from __future__ import annotations

import pytest

from search.plan.check import check_networks
from search.plan.check_space import check_space
from spaces.errors import UserError

PLAIN = {"name": "hinton", "alpha": 0.5, "temperature": 4}
ALPHA = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4}


def test_the_tiny_space_is_valid(space, digits):
    check_space(space())
    check_networks(space(), digits)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"search": {"algorithm": "gird", "trials": 3}},
            "search.algorithm: unknown algorithm gird; did you mean grid?",
        ),
        (
            {"search": {"algorithm": "evolution", "trials": 3}},
            "search.algorithm: unknown algorithm evolution; known: auto, grid, random, qmc, tpe",
        ),
        (
            {"search": {"algorithm": "tpe", "trials": 3, "scheduler": "ahsa"}, "method": ALPHA},
            "search.scheduler: unknown scheduler ahsa; did you mean asha?",
        ),
        (
            {"data": {"name": {"choice": ["digits", "mnist5k"]}}},
            "data.name: data cannot be searched: numbers on different data cannot be compared",
        ),
        (
            {"data": {"choice": [{"name": "digits"}, {"name": "mnist5k"}]}},
            "data: data cannot be searched: numbers on different data cannot be compared",
        ),
        (
            {
                "teacher": {"model": {"name": "mlp", "hidden": [8]}, "train": {"lr": {"uniform": [0.1, 1]}}},
                "search": {"algorithm": "random", "trials": 3},
            },
            "teacher.train.lr: a range; expected a choice, because every value is one more teacher to train",
        ),
        (
            {"search": {"algorithm": "tpe"}, "method": ALPHA},
            "search.trials: missing; tpe needs the number of students to try",
        ),
        (
            {"search": {"algorithm": "random", "trials": 3}, "seeds": [0, 1], "method": ALPHA},
            "seeds: found 2 seeds, expected one: random explores with one; put more into confirm.seeds",
        ),
        (
            {"search": {"algorithm": "gird"}, "seeds": [0, 1]},
            "search.algorithm: unknown algorithm gird; did you mean grid?",
        ),
        (
            {
                "search": {"algorithm": "random", "trials": 3},
                "method": ALPHA,
                "teacher": {"model": {"name": "mlp", "hidden": [8]}, "seeds": [0, 1]},
            },
            "teacher.seeds: found 2 teachers, expected one: random explores under one",
        ),
        (
            {"search": {"algorithm": "grid", "scheduler": "asha"}},
            "search.scheduler: found asha, expected none: a grid trains every cell to its end",
        ),
        (
            {"search": {"algorithm": "grid", "grace_period": 2}},
            "search.grace_period: found 2, but scheduler none does not use grace_period; remove it or choose one "
            "of: asha, median",
        ),
        (
            {"search": {"algorithm": "tpe", "trials": 3, "scheduler": "median", "reduction": 2}, "method": ALPHA},
            "search.reduction: found 2, but scheduler median does not use reduction; remove it or choose one of: asha",
        ),
        (
            {"search": {"algorithm": "tpe", "trials": 3, "scheduler": "asha", "grace_period": 3}, "method": ALPHA},
            "search.grace_period: found 3, expected fewer than the 3 epochs of a student: otherwise no "
            "student is ever stopped",
        ),
        (
            {"search": {"algorithm": "tpe", "trials": 3, "scheduler": "median", "grace_period": 99}, "method": ALPHA},
            "search.grace_period: found 99, expected fewer than the 3 epochs of a student: otherwise no "
            "student is ever stopped",
        ),
    ],
)
def test_errors_have_place_and_expected_value(space, parts, message):
    with pytest.raises(UserError) as caught:
        check_space(space(**parts))
    (line,) = str(caught.value).splitlines()
    place, _, rest = line.partition(": ")
    assert rest.startswith(message)
    assert place.rpartition(":")[0].endswith("tiny.yaml") and place.rpartition(":")[2].isdigit()


@pytest.mark.parametrize(
    "search",
    [
        {"scheduler": "asha"},  # the default grace period is allowed with any number of epochs
        {"scheduler": "asha", "grace_period": 2, "reduction": 2},
        {"scheduler": "median", "grace_period": 1},
        {},
    ],
)
def test_keys_of_the_scheduler_are_allowed(space, search):
    check_space(space(search={"algorithm": "tpe", "trials": 3, **search}, method=ALPHA))


def test_searched_epochs_are_refused_with_early_stopping(space):
    mixed = {"epochs": {"choice": [1, 5]}, "batch_size": 64}
    check_space(space(search={"algorithm": "tpe", "trials": 3}, train=mixed))
    with pytest.raises(UserError, match=r"train\.epochs: found a domain, expected one number: scheduler asha compares"):
        check_space(space(search={"algorithm": "tpe", "trials": 3, "scheduler": "asha"}, train=mixed))


def test_a_choice_of_teachers_is_allowed(space):
    check_space(space(teacher={"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}}, method=PLAIN))


@pytest.mark.parametrize("part", ["student", "teacher"])
def test_a_network_must_fit_the_images(space, digits, part, monkeypatch):
    from torch import nn

    from trainables.models import MODELS

    monkeypatch.setitem(MODELS, "wide", lambda shape, classes: nn.Conv2d(1, classes, kernel_size=28))
    with pytest.raises(UserError, match=f"{part}.model: RuntimeError: .* Kernel size"):
        check_networks(space(**{part: {"model": {"name": "wide"}}}), digits)


def test_an_area_under_the_curve_needs_two_classes(space, digits):
    alike = digits.val.labels == 3
    val = type(digits.val)(digits.val.images[alike], digits.val.labels[alike])
    for metric in ("val_auc", "val_macro_f1"):
        check_networks(space(search={"algorithm": "grid", "metric": metric}), digits)
    with pytest.raises(UserError, match=r"search.metric: val_auc, but the validation images are all of one class"):
        check_networks(space(search={"algorithm": "grid", "metric": "val_auc"}), digits._replace(val=val))


@pytest.mark.parametrize("part", ["train", "teacher.train"])
def test_a_batch_is_at_most_the_training_images(space, digits, part):
    few = digits.take(60, 20, 20)
    train = {"epochs": 3, "batch_size": {"choice": [32, 2048]}}
    parts = {"train": train} if part == "train" else {"teacher": {"train": train}, "train": {"epochs": 3}}
    with pytest.raises(UserError, match=rf"tiny.yaml:\d+: {part}.batch_size: found 2,048, expected at most the 1,"):
        check_networks(space(**parts), digits)
    check_networks(space(**parts), few._replace(is_generated=True))  # in a smoke test their number means nothing
    check_networks(space(train={"epochs": 3}), few)  # the default is reduced to the images
    with pytest.raises(UserError, match="found 64, expected at most the 60 training images"):
        check_networks(space(), few)


def test_training_images_are_at_most_all_and_at_least_one_per_class(space, digits):
    few = digits.take(60, 20, 20)
    train = {"epochs": 3, "batch_size": 8}
    check_networks(space(train={**train, "images": 60}), few)
    with pytest.raises(UserError, match=r"train.images: found 61, expected at most the 60 training images"):
        check_networks(space(train={**train, "images": 61}), few)
    with pytest.raises(UserError, match=r"train.images: found 9, expected at least one for each of 10 classes"):
        check_networks(space(train={**train, "images": 9}), few)
    with pytest.raises(UserError, match=r"train.batch_size: found 8, expected at most the 7"):
        check_networks(space(train={**train, "images": 7, "omit": {"classes": [0, 1, 2, 3]}}), few)


def test_a_start_point_above_the_limit_is_refused(space, digits):
    student = {"model": {"name": "mlp", "hidden": {"choice": [[100], [8]]}}}
    search = {"trials": 10, "limit": {"parameters": 1000}}
    point = {"student": {"model": {"hidden": [100]}}}
    with pytest.raises(UserError, match=r"search.start.0: found a student above search.limit"):
        check_networks(space(method=PLAIN, student=student, search={**search, "start": [point]}), digits)
    open_size = {**search, "start": [{"method": {"alpha": 0.5}}]}  # a proposal may be below the limit
    check_networks(space(method=ALPHA, student=student, search=open_size), digits)
