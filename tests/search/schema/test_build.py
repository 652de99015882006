"""The shipped schema: fresh, complete, and in agreement with the validation of spaces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from search.algorithms import SAMPLERS, SCHEDULERS
from search.plan.check_space import check_space
from search.schema.build import schema_text
from search.schema.describe import NAMED_PARTS, PARTS
from spaces.__main__ import main
from spaces.catalogue.entries import (
    SCHEMA_FILE,
    CatalogueEntry,
    EntryKey,
    catalogue_entries,
    default_part,
    entry_keys,
    find_entries,
    load_schema,
)
from spaces.catalogue.example import example_numbers, example_value
from spaces.domain import DOMAIN_KINDS
from spaces.space import load_space
from spaces.validation import SPACE_KEYS
from trainables.validate import recipe_problems

SEARCHABLE = [entry for entry in catalogue_entries() if entry.kind in ("method", "model") and entry_keys(entry)]
RESTRICTIONS = {"only-choices", "no-domains"}  # definitions that only exclude keys


def test_the_shipped_schema_is_fresh() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `make schema`"


def test_each_definition_and_entry_has_a_line_of_its_own() -> None:
    lines = SCHEMA_FILE.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 400
    assert {
        name for name in load_schema()["definitions"] if not any(line.startswith(f'"{name}": ') for line in lines)
    } == set()


def test_everything_registered_has_an_entry() -> None:
    names = {
        kind: [entry.name for entry in catalogue_entries(kind)]
        for kind in (*NAMED_PARTS, "algorithm", "scheduler", "domain", "part")
    }
    assert {kind: names[kind] for kind in NAMED_PARTS} == {
        kind: [*functions] for kind, (_, functions) in NAMED_PARTS.items()
    }
    assert names["algorithm"] == ["auto", "grid", *SAMPLERS]
    assert names["scheduler"] == ["auto", *SCHEDULERS]
    assert names["domain"] == list(DOMAIN_KINDS)
    assert names["part"] == list(PARTS)
    assert list(load_schema()["properties"]) == [*SPACE_KEYS, "fallback"]


def test_every_entry_has_a_summary_and_every_method_a_formula() -> None:
    assert [entry.name for entry in catalogue_entries() if not entry.summary or entry.summary.endswith(".")] == []
    assert [entry.name for entry in catalogue_entries("method") if "CE(student, labels)" not in entry.formula] == []


def described_keys(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the description of every key."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from described_keys(item, f"{path}.{index}")
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from (
            (f"{path}.{key}", str(value.get("description", "")))
            for key, value in properties.items()
            if "$ref" not in value
        )
        for name in ("items", "anyOf", "allOf"):
            yield from described_keys(schema.get(name), f"{path}.{name}")
        for key, value in properties.items():
            yield from described_keys(value, f"{path}.{key}")


def test_every_key_has_a_description() -> None:
    # The definitions `complete.*` repeat keys of others, with complete parts as values.
    definitions = {
        name: schema
        for name, schema in load_schema()["definitions"].items()
        if not name.startswith("complete.") and name not in RESTRICTIONS
    }
    keys = [key for name, schema in definitions.items() for key in described_keys(schema, name)]
    keys += described_keys({"properties": load_schema()["properties"]}, "space")
    assert len(keys) > 300
    assert [path for path, description in keys if not description] == []


def test_every_key_of_an_entry_has_a_description() -> None:
    keys = [(entry, knob) for entry in catalogue_entries() for knob in entry_keys(entry)]
    assert [f"{entry.kind} {entry.name}: {knob.name}" for entry, knob in keys if not knob.description] == []


def test_every_reference_is_defined_and_every_definition_is_used() -> None:
    text = json.dumps(load_schema())
    assert [name for name in load_schema()["definitions"] if f'"#/definitions/{name}"' not in text] == []
    Draft7Validator.check_schema(load_schema())


@pytest.mark.parametrize("method", catalogue_entries("method"), ids=lambda entry: entry.name)
def test_a_new_space_for_any_method_passes(method: CatalogueEntry, tmp_path: Path) -> None:
    check_new_space(tmp_path / "x.yaml", "--method", method.name)


@pytest.mark.parametrize("network", catalogue_entries("model"), ids=lambda entry: entry.name)
def test_a_new_space_for_any_network_passes(network: CatalogueEntry, tmp_path: Path) -> None:
    check_new_space(tmp_path / "x.yaml", "--model", network.name)


@pytest.mark.parametrize("data", catalogue_entries("data"), ids=lambda entry: entry.name)
def test_a_new_space_for_any_data_set_passes(data: CatalogueEntry, tmp_path: Path) -> None:
    check_new_space(tmp_path / "x.yaml", "--data", data.name)


def check_new_space(path: Path, *arguments: str) -> None:
    assert main(["new", *arguments, str(path)]) == 0
    check_space(load_space(path, recipe_problems))
    assert schema_errors(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("entry", "knob", "kind"),
    [(entry, knob, kind) for entry in SEARCHABLE for knob in entry_keys(entry) for kind in knob.domains],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_domain_of_the_schema_passes_validation(
    entry: CatalogueEntry, knob: EntryKey, kind: str, tmp_path: Path
) -> None:
    space = space_with(entry, {knob.name: {kind: domain_values(knob, kind)}})
    assert schema_errors(space) == []
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(space))
    load_space(tmp_path / "x.yaml", recipe_problems)


def space_with(entry: CatalogueEntry, knobs: dict[str, Any]) -> dict[str, Any]:
    """Return a random search with this method or student network, and example values for its other knobs."""
    examples = {knob.name: example_of(knob) for knob in entry_keys(entry) if knob.required}
    part = {"name": entry.name, **examples, **knobs}
    method = part if entry.kind == "method" else {"name": "none"}
    student = {"model": part} if entry.kind == "model" else {}
    search = {"algorithm": "random", "trials": 3}
    return {"data": {"name": "digits"}, "method": method, "student": student, "search": search}


def example_of(knob: EntryKey) -> Any:
    return example_value({"anyOf": knob.values}, default_part("student.model"), knob.name)


def domain_values(knob: EntryKey, kind: str) -> list[Any]:
    """Return the content of a domain of a knob: two numbers in order, or one example value."""
    if kind == "choice":
        return [example_of(knob)]
    number = next(value for value in knob.values if value.get("type") in ("number", "integer"))
    low, *_, high = example_numbers({**number, "type": "integer"} if kind == "int" else number)
    return [low, high] if low < high else [0, 1]


def schema_errors(space: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft7Validator(load_schema()).iter_errors(space)]


def test_a_nested_network_is_validated_with_its_knobs() -> None:
    name, knob = next(
        (entry.name, knob.name)
        for entry in catalogue_entries("model")
        for knob in entry_keys(entry)
        if "$ref" in knob.values[0]
    )
    ensemble = find_entries(name, "model")[0]
    assert schema_errors(space_with(ensemble, {knob: {"name": "mlp", "hidden": [8]}})) == []
    assert schema_errors(space_with(ensemble, {knob: {"name": "mlp", "hiden": [8]}})) != []
    assert schema_errors(space_with(ensemble, {knob: {"name": "mlp"}})) != []


@pytest.mark.parametrize(
    ("teacher", "is_valid"),
    [
        ({"train": {"epochs": {"choice": [1, 2]}}}, True),
        ({"train": {"epochs": {"int": [1, 2]}}}, False),
        ({"teacher": {"train": {"lr": {"uniform": [0.1, 1]}}}, "method": {"name": "none"}}, False),
        ({"train": {"choice": [{"lr": {"uniform": [0.1, 1]}}]}}, False),
        ({"ensemble": [{"seed": 0}, {"train": {"epochs": 3}}]}, True),
        ({"ensemble": [{}, {"train": {"epochs": {"choice": [1, 2]}}}]}, False),
    ],
    ids=str,
)
def test_a_teacher_has_choices_only_and_its_members_no_domains(teacher: dict[str, Any], is_valid: bool) -> None:
    assert (schema_errors({"teacher": teacher}) == []) == is_valid
