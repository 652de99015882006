"""Algorithm and scheduler of spaces that name none."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "algorithm", "scheduler"),
    [
        ("train: {lr: {choice: [0.1, 0.2]}}", "grid", "none"),
        ("train: {lr: {choice: [0.1, 0.2]}}\nsearch: {trials: 2}", "tpe", "asha"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2}", "tpe", "asha"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2, scheduler: none}", "tpe", "none"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2, algorithm: tpe}", "tpe", "none"),
        ("train: {epochs: {int: [1, 3]}}\nsearch: {trials: 2}", "tpe", "none"),
    ],
)
def test_auto(space, text: str, algorithm: str, scheduler: str) -> None:
    search = space(text).search
    assert (search.algorithm, search.scheduler) == (algorithm, scheduler)


@pytest.mark.parametrize(
    ("text", "confirmed"),
    [
        ("search: {trials: 2}", (1, [1])),
        ("seeds: [1]\nsearch: {trials: 2}", (1, [0])),
        ("search: {trials: 2}\nconfirm: {seeds: [5, 6]}", (3, [5, 6])),
        ("search: {trials: 2}\nconfirm: null", None),
        ("search: {trials: 2, algorithm: tpe}", None),
        ("search: {trials: 2, metrics: [val_accuracy, parameters]}", None),
        ("search: {trials: 2, metrics: [val_accuracy, parameters]}\nconfirm: {seeds: [5]}", (None, [5])),
    ],
)
def test_the_winner_of_an_automatic_search_is_trained_with_a_fresh_seed(space, text: str, confirmed) -> None:
    confirm = space(f"train: {{lr: {{uniform: [0.1, 0.2]}}}}\n{text}").confirm
    assert (confirm and (confirm.top, confirm.seeds)) == confirmed
