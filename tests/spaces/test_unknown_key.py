"""Suggestions for unknown keys and for lists in place of one value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spaces.unknown_key import COMMON_NAMES, unknown_key
from spaces.validation import SECTION_KEYS, SPACE_KEYS
from trainables.knobs import knob_schema
from trainables.methods import METHODS
from trainables.validate import recipe_problems

Errors = Callable[..., list[str]]
HINTON = "method: {name: hinton, alpha: 0.5, temperature: 2}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train: {learning_rate: 0.1}", "train.learning_rate: unknown key; did you mean lr?"),
        ("train: {batch: 64}", "train.batch: unknown key; did you mean batch_size?"),
        ("train: {n_epochs: 3}", "train.n_epochs: unknown key; did you mean epochs?"),
        ("train: {scheduler: step}", "train.scheduler: unknown key; did you mean schedule?"),
        ("train: {weight: 3}", "train.weight: unknown key; did you mean weight_decay?"),
        ("confirm: {seed: 3}", "confirm.seed: unknown key; did you mean seeds?"),
        ("seed: 3", "seed: unknown key; did you mean seeds?"),
        ("lr: 0.1", "lr: unknown key; did you mean train: {lr: …}?"),
        ("learning_rate: 0.1", "learning_rate: unknown key; did you mean train: {lr: …}?"),
        ("scheduler: asha", "scheduler: unknown key; did you mean search: {scheduler: …}?"),
        ("num_samples: 9", "num_samples: unknown key; did you mean search: {trials: …}?"),
        ("jitter: 2", "jitter: unknown key; in train, renamed to shift"),
        ("teacher: {jitter: 2}", "teacher.jitter: unknown key; in train, renamed to shift"),
        ("grace: 2", "grace: unknown key; in search, renamed to grace_period"),
    ],
)
def test_key_of_another_tool_or_place(errors: Errors, text: str, expected: str) -> None:
    assert errors(HINTON + text, recipe_problems) == [f"2: {expected}"]


def test_required_knob_under_a_common_name(errors: Errors) -> None:
    assert errors("method: {name: hinton, weight: 0.5, T: 2}", recipe_problems) == [
        "1: method.weight: unknown key; did you mean alpha?",
        "1: method.T: unknown key; did you mean temperature?",
    ]


def test_common_names_lead_to_existing_keys() -> None:
    sections = (key for keys in SECTION_KEYS.values() for key in keys)
    keys = {*SPACE_KEYS, *sections, *knob_schema(METHODS["hinton"]).model_fields}
    assert set(COMMON_NAMES.values()) <= keys
    assert unknown_key("tau", ["alpha"]) == "unknown key; known: alpha"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "method: {name: hinton, alpha: [0.5, 0.9], temperature: 2}",
            "method.alpha: found [0.5,0.9], expected a number; to search it, write {choice: [0.5, 0.9]}",
        ),
        (
            HINTON + "train: {epochs: [1, 2]}",
            "train.epochs: found [1,2], expected a whole number; to search it, write {choice: [1, 2]}",
        ),
        (
            HINTON + "train: {optimizer: [sgd, adam]}",
            'train.optimizer: found ["sgd","adam"], expected adam or adamw or sgd or rmsprop; '
            "to search it, write {choice: [sgd, adam]}",
        ),
        (HINTON + "train: {optimizer: [sgd, 3]}", None),
        (HINTON + "train: {epochs: [1, a]}", None),
        (HINTON + "train: {epochs: [1]}", None),
        (HINTON + "train: [1, 2]", None),
        (HINTON + "data: {name: [digits, mnist]}", None),
        (HINTON + "data: {name: digits, validation: [1, 2]}", None),
        (HINTON + "search: {trials: [3, 4]}", None),
        (HINTON + "teacher: {ensemble: [{train: {epochs: [1, 2]}}, {}]}", None),
        (HINTON + "teacher: {ensemble: [{model: {name: cnn, padding: [same, valid]}}, {}]}", None),
    ],
)
def test_list_in_place_of_a_value(errors: Errors, text: str, expected: str | None) -> None:
    (line,) = errors(text, recipe_problems)
    assert line.partition(": ")[2] == expected if expected else "choice" not in line
