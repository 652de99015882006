"""What can stand in a space, as the generated schema.json tells it: no registry is imported to read it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from spaces.errors import UserError, nearest

SCHEMA = Path(__file__).with_name("schema.json")
HEAD = "# yaml-language-server: $schema="
# In the order in which they are listed.
TITLES = {
    "method": "Methods",
    "data": "Data sets",
    "model": "Models",
    "domain": "Domains, for any value that is to be searched",
    "algorithm": "Algorithms, for search.algorithm",
    "scheduler": "Schedulers, for search.scheduler",
    "part": "Parts of a space",
}


class Entry(NamedTuple):
    """One thing that has a name in a space, in the words of its docstring; what it has not is empty."""

    kind: str
    name: str
    line: str  # one sentence
    text: str = ""  # paragraphs
    formula: str = ""
    paper: str = ""
    layers: tuple[str, ...] = ()  # of a model in its plainest form: those that a method may observe


class Knob(NamedTuple):
    """A key of an entry: the schemas of its values, the domains it may be searched by, and its default."""

    name: str
    values: list[dict[str, Any]]
    domains: list[str]
    required: bool
    default: Any
    note: str


@cache
def schema() -> dict[str, Any]:
    """The generated schema; a UserError where it is not there."""
    try:
        return json.loads(SCHEMA.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{SCHEMA}: {error.strerror}; `make schema` writes it") from None


def entries(kind: str = "") -> list[Entry]:
    """Everything, or everything of one kind."""
    found = (Entry(**{**each, "layers": tuple(each["layers"])}) for each in schema()["x-catalogue"])
    return [each for each in found if kind in ("", each.kind)]


def named(name: str, kind: str = "") -> list[Entry]:
    """The entries of this name, at least one; a UserError with the nearest right name where there is none."""
    among = entries(kind)
    found = [each for each in among if each.name == name]
    if not found:
        known = nearest(name, dict.fromkeys(each.name for each in among))
        raise UserError(f"{name}: no {kind or 'such name'}{known}")
    return found


def keys() -> dict[str, list[tuple[Entry, Knob]]]:
    """Every key that some entry takes, with those that take it."""
    found: dict[str, list[tuple[Entry, Knob]]] = {}
    for entry in entries():
        for knob in knobs(entry):
            found.setdefault(knob.name, []).append((entry, knob))
    return found


def knobs(entry: Entry) -> list[Knob]:
    """The keys that an entry takes, in the order of its signature."""
    definition = _definition(f"{entry.kind}.{entry.name}")
    required = definition.get("required", [])
    properties = definition.get("properties", {}).items()
    named_parts = entry.kind in ("method", "data", "model")
    return [_knob(name, each, name in required) for name, each in properties if name != "name" or not named_parts]


def default(path: str) -> Any:
    """What stands for a part, such as teacher.model, in a space that does not name it."""
    return schema()["x-defaults"][path]


def _definition(name: str) -> dict[str, Any]:
    """The definition with the most domains: some parts have none, and a teacher has only choices."""
    known = schema()["definitions"]
    return next((known[name + form] for form in ("", "-choices", "-plain") if name + form in known), {})


def _knob(name: str, given: dict[str, Any], required: bool) -> Knob:
    alternatives = given.get("anyOf", [given])
    values = [each for each in alternatives if not _domain(each)]
    domains = [kind for each in alternatives if (kind := _domain(each))]
    return Knob(name, values, domains, required, given.get("default"), given.get("description", ""))


def _domain(given: dict[str, Any]) -> str:
    """The kind of domain that a reference stands for; empty for anything else."""
    found = given.get("$ref", "").partition("domain.")[2]
    return found.partition(".")[0]
