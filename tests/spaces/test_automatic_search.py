"""Algorithm and scheduler of spaces that name none."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "algorithm", "scheduler"),
    [
        ("train: {lr: {choice: [0.1, 0.2]}}", "grid", "none"),
        ("train: {lr: {choice: [0.1, 0.2]}}\nsearch: {trials: 2}", "random", "asha"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2}", "random", "asha"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2, scheduler: none}", "random", "none"),
        ("train: {lr: {uniform: [0.1, 0.2]}}\nsearch: {trials: 2, algorithm: tpe}", "tpe", "none"),
        ("train: {epochs: {int: [1, 3]}}\nsearch: {trials: 2}", "random", "none"),
    ],
)
def test_auto(space, text: str, algorithm: str, scheduler: str) -> None:
    search = space(text).search
    assert (search.algorithm, search.scheduler) == (algorithm, scheduler)
