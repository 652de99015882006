"""Old keys: one error with line and new name, wherever the key can stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.errors import UserError
from spaces.space import load_recorded_space, load_space
from trainables.validate import recipe_problems

Errors = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: {jitter: 2}", "1: train.jitter: renamed to shift"),
        ("train: {top: {epochs: 1, layers: [a], lr: 1}}", "1: train.top: renamed to head_first"),
        ("train:\n  augment: {colour: 0.1}", "2: train.augment.colour: renamed to color"),
        ("train:\n  choice:\n  - {lr: 0.1}\n  - {jitter: 2}", "4: train.jitter: renamed to shift"),
        (
            "train:\n  augment:\n    choice:\n    - {crop: 1}\n    - colour: 0.1",
            "5: train.augment.colour: renamed to color",
        ),
        ("train: {jitter: {choice: [1, 2]}}", "1: train.jitter: renamed to shift"),
        ("teacher:\n  train: {jitter: 2}", "2: teacher.train.jitter: renamed to shift"),
        (
            "teacher:\n  method: {name: hinton, alpha: 0.5, temperature: 2}\n  teacher:\n    train: {jitter: 2}",
            "4: teacher.teacher.train.jitter: renamed to shift",
        ),
        (
            "teacher:\n  ensemble:\n  - {train: {epochs: 2}}\n  - {train: {jitter: 2}}",
            "4: teacher.ensemble.1.train.jitter: renamed to shift",
        ),
        (
            "teacher:\n  choice:\n  - {train: {epochs: 2}}\n  - {train: {top: null}}",
            "4: teacher.train.top: renamed to head_first",
        ),
        (
            "student: {model: {name: resnet18, normalise: none}}",
            "1: student.model.normalise: renamed to normalize",
        ),
        (
            "teacher: {method: {name: standardised, alpha: 0.5, temperature: 2}, teacher: {}}",
            "1: teacher.method.name: standardised was renamed to standardized",
        ),
        (
            "method:\n  choice:\n  - {name: none}\n  - {name: standardised, alpha: 0.5, temperature: 2}",
            "4: method.name: standardised was renamed to standardized",
        ),
        (
            "search: {algorithm: tpe, trials: 3, scheduler: asha, grace: 2}\ntrain: {lr: {uniform: [0.1, 1]}}",
            "1: search.grace: renamed to grace_period",
        ),
        ("otherwise: {train: {epochs: 2}}", "1: otherwise: renamed to fallback"),
        ("fallback:\n  train: {jitter: 2}", "2: fallback.train.jitter: renamed to shift"),
        ("fallback:\n  search: {grace: 2}", "2: fallback.search.grace: renamed to grace_period"),
        ("train: {jitter: 2, shift: 2}", "1: train.jitter: renamed to shift"),
    ],
)
def test_old_key(errors: Errors, text: str, expected: str) -> None:
    method = "" if text.startswith("method:") else "method: {name: hinton, alpha: 0.5, temperature: 2}\n"
    number, _, rest = expected.partition(":")
    assert errors(method + text, recipe_problems) == [f"{int(number) + bool(method)}:{rest}"]


def test_every_old_key(errors: Errors) -> None:
    text = "train:\n  jitter: 2\n  augment: {colour: 1}\n  epoch: 3\notherwise:\n  train: {top: null}"
    assert errors(text) == [
        "2: train.jitter: renamed to shift",
        "3: train.augment.colour: renamed to color",
        "4: train.epoch: unknown key; did you mean epochs?",
        "5: otherwise: renamed to fallback",
        "6: otherwise.train.top: renamed to head_first",
    ]


def test_names_of_other_parts_are_kept(write: Callable[[str], Path]) -> None:
    text = "method: {name: own, jitter: 1, top: 2, colour: 3, grace: {choice: [1, 2]}, normalise: 4}"
    assert load_space(write(text)).knobs == ["method.grace"]


def test_recorded_space_is_refused_in_one_line(write: Callable[[str], Path]) -> None:
    path = write("train:\n  jitter: 2\n  augment: {colour: 1}\n")
    with pytest.raises(UserError) as caught:
        load_recorded_space(path)
    renamed = "train.jitter renamed to shift, train.augment.colour renamed to color"
    assert str(caught.value) == (
        f"{path}: recorded by an earlier version ({renamed}); "
        "run the search again with --fresh, or read the results with that version"
    )
