"""Signatures from the schema: the same models and the same messages as those of the registered functions."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.catalogue.entries import catalogue_entries
from spaces.catalogue.signatures import CATALOGUE, catalogued_problems
from spaces.recipe import Recipe
from trainables.validate import REGISTRIES, recipe_problems, registered_signature

PARTS = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]
NESTED = {"model.ensemble.of", "model.routed.students"}  # networks, which JSON schemas describe differently


def plain_schema(kind: str, name: str, model: Any) -> dict[str, Any]:
    schema = model.model_json_schema()
    keys = {key: value for key, value in schema["properties"].items() if f"{kind}.{name}.{key}" not in NESTED}
    return {**schema, "properties": keys, "title": name}


@pytest.mark.parametrize(("kind", "name"), PARTS, ids=map(".".join, PARTS))
def test_the_schema_gives_the_registered_signature(kind: str, name: str) -> None:
    catalogued, registered = CATALOGUE.signature(kind, name), registered_signature(kind, name)
    schemas = [plain_schema(kind, name, signature.knobs) for signature in (catalogued, registered)]
    assert schemas[0] == schemas[1]
    assert catalogued[1:] == registered[1:]


def test_the_names_are_the_registered_ones_in_the_same_order() -> None:
    for kind, registry in REGISTRIES.items():
        assert list(CATALOGUE.names(kind)) == list(registry) == [entry.name for entry in catalogue_entries(kind)]


HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4}
MLP = {"name": "mlp", "hidden": [16]}
MISTAKES: list[dict[str, Any]] = [
    {},
    {"data": {"name": "digit"}},
    {"data": {"name": "folder", "size": 0}},
    {"data": {"name": "digits", "groups": 3}},
    {"method": {"nmae": "hinton", **HINTON}},
    {"method": {"name": "hinton", "alpha": [0.2, 0.5]}},
    {"method": {"name": "fitnets", **HINTON, "guided": 3, "hint": "relu1", "hint_epochs": 12}},
    {"student": {"model": {"name": "mlp", "hidden": [16, 0], "dropout": "x"}}},
    {"student": {"model": {"name": "shufflenet_v2", "width": 1.0}}},
    {"student": {"model": {"name": "ensemble", "members": 2, "of": {"name": "mpl"}}}},
    {"student": {"model": {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": 3}}}},
    {"student": {"model": {"name": "routed", "students": []}}},
    {"student": {"model": {"name": "routed", "students": [MLP, {"hidden": [3]}]}}},
    {"teacher": {"model": MLP, "method": HINTON}},
    {"teacher": {"ensemble": [{"model": {"name": "cnn", "padding": "sam"}}, {"model": MLP}]}},
    {"teacher": {"weights": "/no/such.pth"}},
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_both_sources_give_the_same_messages(mistake: dict[str, Any]) -> None:
    tree = {"data": {"name": "digits"}, "method": HINTON, "student": {"model": MLP}} | mistake
    recipe = Recipe.model_validate(tree)
    problems = list(catalogued_problems(recipe))
    assert problems == list(recipe_problems(recipe)) and bool(problems) == bool(mistake)
