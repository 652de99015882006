"""The schema that is shipped is the one that models and registries give, and says yes to what the judge lets pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from search.plan.check import ALGORITHMS, check
from search.schema.build import text
from search.schema.describe import NAMED, PARTS
from spaces.__main__ import main
from spaces.catalogue.entries import SCHEMA, Entry, Knob, default, entries, knobs, named, schema
from spaces.catalogue.example import example, options
from spaces.domain import KINDS
from spaces.space import KEYS, load
from trainables.validate import judge

HOLED = [each for each in entries() if each.kind in ("method", "model") and knobs(each)]


def test_the_shipped_schema_is_fresh() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == text(), "run `make schema`"


def test_everything_registered_has_a_name_in_it() -> None:
    for kind, (_, registry) in NAMED.items():
        assert [each.name for each in entries(kind)] == list(registry)
    assert [each.name for each in entries("algorithm")] == list(ALGORITHMS)
    assert [each.name for each in entries("domain")] == list(KINDS)
    assert [each.name for each in entries("part")] == list(PARTS)
    assert list(schema()["properties"]) == [*KEYS, "fallback"]


def test_every_entry_says_what_it_is() -> None:
    assert [each.name for each in entries() if not each.line or each.line.endswith(".")] == []
    assert [each.name for each in entries("method") if "CE(student, labels)" not in each.formula] == []


def test_every_reference_is_defined_and_every_definition_referred_to() -> None:
    written = json.dumps(schema())
    assert [name for name in schema()["definitions"] if f'"#/definitions/{name}"' not in written] == []
    Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("way", entries("method"), ids=lambda each: each.name)
def test_a_new_space_for_any_method_passes(way: Entry, tmp_path: Path) -> None:
    _begun(tmp_path / "x.yaml", "--method", way.name)


@pytest.mark.parametrize("network", entries("model"), ids=lambda each: each.name)
def test_a_new_space_for_any_network_passes(network: Entry, tmp_path: Path) -> None:
    _begun(tmp_path / "x.yaml", "--model", network.name)


@pytest.mark.parametrize("images", entries("data"), ids=lambda each: each.name)
def test_a_new_space_for_any_data_passes(images: Entry, tmp_path: Path) -> None:
    _begun(tmp_path / "x.yaml", "--data", images.name)


def _begun(path: Path, *choice: str) -> None:
    assert main(["new", *choice, str(path)]) == 0
    check(load(path, judge))
    assert _faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("entry", "knob", "kind"),
    [(each, knob, kind) for each in HOLED for knob in knobs(each) for kind in knob.domains],
    ids=lambda each: getattr(each, "name", each),
)
def test_a_domain_that_the_schema_offers_is_one_that_the_judge_lets_pass(
    entry: Entry, knob: Knob, kind: str, tmp_path: Path
) -> None:
    tree = _with(entry, {knob.name: {kind: _given(knob, kind)}})
    assert _faults(tree) == []
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(tree))
    load(tmp_path / "x.yaml", judge)


def _with(entry: Entry, own: dict[str, Any]) -> dict[str, Any]:
    """A random search of a space with this method or student's network, its knobs plain but for these."""
    part = {"name": entry.name, **{knob.name: _plain(knob) for knob in knobs(entry) if knob.required}, **own}
    method = part if entry.kind == "method" else {"name": "none"}
    student = {"model": part} if entry.kind == "model" else {}
    search = {"algorithm": "random", "trials": 3}
    return {"data": {"name": "digits"}, "method": method, "student": student, "search": search}


def _plain(knob: Knob) -> Any:
    return example({"anyOf": knob.values}, default("student.model"), knob.name)


def _given(knob: Knob, kind: str) -> list[Any]:
    """What may stand in a domain of a knob: two numbers in order, or one plain value."""
    if kind == "choice":
        return [_plain(knob)]
    number = next(each for each in knob.values if each.get("type") in ("number", "integer"))
    low, *_, high = options({**number, "type": "integer"} if kind == "int" else number)
    return [low, high] if low < high else [0, 1]


def _faults(tree: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft7Validator(schema()).iter_errors(tree)]


def test_a_network_inside_another_is_judged_as_deep_as_it_goes() -> None:
    whole = next(
        (each.name, knob.name) for each in entries("model") for knob in knobs(each) if "$ref" in knob.values[0]
    )
    name, knob = whole
    assert _faults(_with(named(name, "model")[0], {knob: {"name": "mlp", "hidden": [8]}})) == []
    assert _faults(_with(named(name, "model")[0], {knob: {"name": "mlp", "hiden": [8]}})) != []
