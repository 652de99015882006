"""Generated schema as an editor uses it: valid spaces pass, misspelled keys do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from spaces.catalogue.entries import SCHEMA_COMMENT, SCHEMA_FILE, load_schema
from spaces.document import read_document

ROOT = Path(__file__).parents[3]
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "spaces").rglob("*.yaml"))
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4}
MLP = {"name": "mlp", "hidden": [16]}


def faults(tree: dict[str, Any]) -> list[str]:
    """Dotted paths that an editor would underline."""
    return [".".join(map(str, error.path)) for error in Draft7Validator(load_schema()).iter_errors(tree)]


def mutated(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each key's path with a copy of the tree in which the key is misspelled."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, item in items:
        inner = f"{path}.{key}"
        if isinstance(tree, dict):
            yield inner, {f"{name}x" if name == key else name: value for name, value in tree.items()}
        for path_inside, misspelled in mutated(item, inner):
            copy = [*tree] if isinstance(tree, list) else {**tree}
            copy[key] = misspelled
            yield path_inside, copy


def test_is_json_schema() -> None:
    Draft7Validator.check_schema(load_schema())


@pytest.mark.parametrize("file", FILES, ids=str)
def test_shipped_space_is_valid_and_names_its_schema(file: Path) -> None:
    assert faults(read_document(ROOT / file).tree) == []
    head = (ROOT / file).read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith(SCHEMA_COMMENT), f"the first line of {file} must be {SCHEMA_COMMENT}schema.json"
    assert ((ROOT / file).parent / head.removeprefix(SCHEMA_COMMENT)).resolve() == SCHEMA_FILE


def test_misspelled_keys_of_the_shipped_spaces() -> None:
    """Each key once: many spaces, and many options, have the same ones."""
    tried: dict[str, Any] = {}
    for file in FILES:
        tried |= {re.sub(r"\d+", "*", path): tree for path, tree in mutated(read_document(ROOT / file).tree)}
    assert len(tried) > 50 and [path for path, tree in tried.items() if not faults(tree)] == []


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"method": {"alpha": 0.5, "temperature": 4}},  # hinton is the default method
        {"method": {"choice": [HINTON, {"name": "none"}]}},
        {"method": {"choice": [{"name": "none"}, {**HINTON, "alpha": {"uniform": [0, 1]}}]}},
        {"student": {"model": {"choice": [MLP, {"name": "cnn", "padding": {"choice": ["same", "valid"]}}]}}},
        {"student": {"choice": [{"model": MLP}, {"model": {"name": "cnn"}}]}},
        {"student": {"model": {**MLP, "hidden": {"choice": [[16], [8, 8]]}}}},
        {"train": {"choice": [{"epochs": 2}, {"epochs": 4, "lr": {"loguniform": [1e-3, 1e-2]}}]}},
        {"train": {"lr": {"uniform": [0.1, 1]}, "batch_size": {"int": [16, 64]}, "weight_decay": {"int": [0, 1]}}},
        {"train": {"lr": {"uniform": [0.1, 1], "log": True}, "batch_size": {"int": [16, 64], "log": False}}},
        {"train": {"max_norm": None, "lr": 1}},
        {"teacher": None, "method": {"name": "none"}},
        {"teacher": {"model": {**MLP, "dropout": {"choice": [0, 0.5]}}, "seeds": [0, 1]}},
        {"search": {"algorithm": "tpe", "scheduler": "asha", "trials": 9, "limit": {"macs": 1000}, "hours": 0.5}},
        {"confirm": {"seeds": [7]}, "resources": {"gpus": 0.25, "workers": 4}},
        {"data": {"name": "mnist"}, "fallback": {"data": {"name": "digits"}, "method": {"temperature": 2}}},
        {"fallback": {"student": {"model": {"hidden": [8]}}, "confirm": {"top": 1}}},
    ],
)
def test_valid(tree: dict[str, Any]) -> None:
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({"trian": {"epochs": 3}}, ""),
        ({"train": {"epoch": 3}}, "train"),
        ({"train": {"epochs": "many"}}, "train"),
        ({"train": {"epochs": 2.5}}, "train"),
        ({"train": {"epochs": {"uniform": [1, 4]}}}, "train"),
        ({"train": {"optimizer": "adan"}}, "train"),
        ({"train": {"lr": {"loguniform": [0, 1]}}}, "train"),
        ({"train": {"lr": {"uniform": [0.1]}}}, "train"),
        ({"train": {"lr": {"uniform": [0.1, 1], "choice": [1]}}}, "train"),
        ({"train": {"lr": {"uniform": [0.1, 1], "log": 10}}}, "train"),
        ({"train": {"lr": {"choice": [0.1, 1], "log": True}}}, "train"),
        ({"train": {"lr": {"loguniform": [0.1, 1], "log": True}}}, "train"),
        ({"train": {"lr": {"choice": []}}}, "train"),
        ({"train": {"lr": {"choice": [0.1, 0.1]}}}, "train"),
        ({"method": {**HINTON, "name": "hintn"}}, "method"),
        ({"method": {**HINTON, "temprature": 4}}, "method"),
        ({"method": {**HINTON, "hidden": [3]}}, "method"),
        ({"method": {"name": "none", "alpha": 0.5}}, "method"),
        ({"method": {"name": "hinton", "alpha": 0.5}}, "method"),
        ({"method": {**HINTON, "alpha": 1.5}}, "method"),
        ({"method": {**HINTON, "alpha": {"choice": [0, 1.5]}}}, "method"),
        ({"method": {"choice": [{"name": "none"}, {"name": "hinton", "alpha": 0.5}]}}, "method"),
        ({"student": {"model": {"name": "mlp"}}}, "student"),
        ({"student": {"model": {"hidden": [16]}}}, "student"),
        ({"data": {"name": {"choice": ["mnist", "digits"]}}}, "data"),
        ({"data": {"name": "digits", "folder": "x"}}, "data"),
        ({"teacher": {"train": {"lr": {"uniform": [0.1, 1]}}}}, "teacher"),
        ({"teacher": {"seed": 3}}, "teacher"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seed": 1}, ""),
        ({"search": {"algorithm": "gird"}}, "search"),
        ({"search": {"metric": "test_accuracy"}}, "search"),
        ({"confirm": {"top": 2}}, "confirm"),
        ({"table": {"rows": "method.alpha"}}, "table"),
        ({"fallback": {"fallback": {}}}, "fallback"),
        ({"fallback": {"method": {"temprature": 2}}}, "fallback"),
    ],
)
def test_invalid(tree: dict[str, Any], place: str) -> None:
    paths = faults(tree)
    assert paths and all(f"{path}.".startswith(f"{place}." if place else "") for path in paths)
