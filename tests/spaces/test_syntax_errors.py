"""Errors of YAML syntax: one line, at the line of the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.document import read_document
from spaces.errors import UserError
from trainables.validate import recipe_problems

NO_COLON = "found no key with a colon; is a colon missing after"

CASES = [
    ("method: {name: none}\nseeds [0]\n", f"2: {NO_COLON} seeds?"),
    ("method: {name: none}\nseeds [0]", f"2: {NO_COLON} seeds?"),
    ("seeds [0]\nmethod: {name: none}\n", f"1: {NO_COLON} seeds?"),
    ("method:\n  name: hinton\n  alpha 0.5\n  temperature: 2\n", f"3: {NO_COLON} alpha?"),
    ("method:\n  alpha 0.5\n  # weight\n\n  temperature: 2\n", f"2: {NO_COLON} alpha?"),
    ("method:\n  name: hinton\n  alpha 0.5\nseeds: [0]\n", f"3: {NO_COLON} alpha?"),
    ("seeds: [0]\ntrain\n  epochs: 2\n", f"2: {NO_COLON} train?"),
    ("train\n  epochs: 2\n", f"1: {NO_COLON} train?"),
    ("seeds:[0]\ntrain: {epochs: 2}\n", "1: found no key with a colon; is a space missing after seeds:?"),
    (
        "method:\n  name: hinton\n  alpha {choice: [1]}\n  temperature: 2\n",
        "3: found '}' without its opening bracket; is a colon missing after alpha?",
    ),
    (
        "method: {name: hinton,\n  alpha {choice: [1]}, temperature: 2}\n",
        "2: expected ',' or '}', but got '{'; is a colon missing after alpha?",
    ),
    ("seeds: [0]\ntrain: {epochs: 2}}\n", "2: found '}' without its opening bracket"),
    ("seeds: [0, 1\ntrain: {epochs: 2}\n", "1: a bracket [ is not closed"),
    ("train: {epochs: 2}\nseeds: [0, 1\n", "2: a bracket [ is not closed"),
    ("train: {epochs: 2}\nseeds: [0, 1", "2: a bracket [ is not closed"),
    ("train: {epochs: 2\nseeds: [0]\n", "1: a bracket { is not closed"),
    ("seeds: [0]\ntrain: {lr: {choice: [0.1]}\nsearch: {}\n", "2: a bracket { is not closed"),
    ("seeds: [0]\ntrain: {lr: {choice: [0.1]\n", "2: a bracket { is not closed"),
    ("train: {lr: 1,\n  epochs: 2 momentum: 0.9}\n", "2: expected ',' or '}', but got ':'"),
    ("name: 'abc\ntrain: {epochs: 2}\n", "1: a quote is not closed"),
    ("train: epochs: 2\n", "1: found a second key in one line, or a wrong indentation"),
    ("train:\n  epochs: 2\n lr: 3\n", "3: found a second key in one line, or a wrong indentation"),
    ("train:\n  epochs: 2\n   lr: 3\n", "3: found a second key in one line, or a wrong indentation"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:40] for text, _ in CASES])
def test_line_of_the_cause(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_document(path)
    assert str(caught.value) == f"{path}:{expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train {epochs: 2}", "1: train {epochs: unknown key; is a colon missing after train?"),
        ("data: {name digits}", "1: data.name digits: unknown key; is a colon missing after name?"),
        ("student: {model: {name mlp}}", "1: student.model.name mlp: unknown key; is a colon missing after name?"),
        ("method: {name hinton, alpha: 1}", "1: method.name hinton: unknown key; is a colon missing after name?"),
        ("train: {epochs:2}", "1: train.epochs:2: unknown key; is a space missing after epochs:?"),
    ],
)
def test_text_that_is_valid_yaml(errors: Callable[..., list[str]], text: str, expected: str) -> None:
    method = "" if text.startswith("method") else "\nmethod: {name: hinton, alpha: 0.5, temperature: 2}\n"
    assert errors(text + method, recipe_problems) == [expected]
