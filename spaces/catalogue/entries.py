"""Catalogue of names and keys, read from the generated schema.json.

No registry is imported, so the catalogue needs no torch.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from spaces.errors import UserError, did_you_mean

SCHEMA_FILE = Path(__file__).with_name("schema.json")
SCHEMA_COMMENT = "# yaml-language-server: $schema="
# Kinds of entries, in the order of the list.
KIND_TITLES = {
    "method": "Methods",
    "data": "Data sets",
    "model": "Models",
    "domain": "Domains, for any searched value",
    "algorithm": "Algorithms, for search.algorithm",
    "scheduler": "Schedulers, for search.scheduler",
    "part": "Parts of a space",
}


Schema = dict[str, Any]  # JSON Schema


class CatalogueEntry(NamedTuple):
    """Anything with a name in a space, such as a method.

    Absent texts are empty.
    """

    kind: str
    name: str
    summary: str = ""  # one sentence
    details: str = ""  # paragraphs
    formula: str = ""
    paper: str = ""
    layers: tuple[str, ...] = ()  # of a model with default keys: layers that a method can observe
    needs_teacher: bool = False  # of a method
    needs: tuple[str, ...] = ()  # of a method, beside the student's logits
    settings: tuple[str, ...] = ()  # of a scheduler: the keys of `search` that it reads


class EntryKey(NamedTuple):
    """Key of an entry.

    `values` are the schemas of its values, `domains` the kinds of domains allowed for it.
    """

    name: str
    values: list[Schema]
    domains: list[str]
    required: bool
    default: Any
    description: str
    mark: str = ""  # of its type in the signature, such as "student layer"


@cache
def load_schema() -> Schema:
    """Return the generated schema; raise UserError if the file is missing."""
    try:
        return json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{SCHEMA_FILE}: {error.strerror}; `make schema` writes it") from None


def catalogue_entries(kind: str = "") -> list[CatalogueEntry]:
    """Return all entries, or all of one kind."""
    records = load_schema()["x-catalogue"]
    entries = (_read_entry(record) for record in records)
    return [entry for entry in entries if kind in ("", entry.kind)]


def _read_entry(record: dict[str, Any]) -> CatalogueEntry:
    lists = {name: tuple(record.get(name, ())) for name in ("layers", "needs", "settings")}
    return CatalogueEntry(**{**record, **lists})


def find_entries(name: str, kind: str = "") -> list[CatalogueEntry]:
    """Return the entries with this name.

    Raises UserError with a suggestion if there are none.
    """
    candidates = catalogue_entries(kind)
    entries = [entry for entry in candidates if entry.name == name]
    if not entries:
        suggestion = did_you_mean(name, dict.fromkeys(entry.name for entry in candidates))
        raise UserError(f"{name}: no {kind or 'such name'}{suggestion}")
    return entries


def keys_with_entries() -> dict[str, list[tuple[CatalogueEntry, EntryKey]]]:
    """Return every key by name, with its entries."""
    by_name: dict[str, list[tuple[CatalogueEntry, EntryKey]]] = {}
    for entry in catalogue_entries():
        for key in entry_keys(entry):
            by_name.setdefault(key.name, []).append((entry, key))
    return by_name


def entry_keys(entry: CatalogueEntry) -> list[EntryKey]:
    """Return the keys of an entry, in the order of its signature."""
    definitions, name = load_schema()["definitions"], f"{entry.kind}.{entry.name}"
    definition = definitions.get(name, {})
    required = definitions.get(f"complete.{name}", {}).get("required", [])
    properties = definition.get("properties", {}).items()
    named_parts = entry.kind in ("method", "data", "model")
    return [_entry_key(name, key, name in required) for name, key in properties if name != "name" or not named_parts]


def default_part(path: str) -> Any:
    """Return the default of a part, such as teacher.model."""
    return load_schema()["x-defaults"][path]


def _entry_key(name: str, key_schema: Schema, required: bool) -> EntryKey:
    alternatives = key_schema.get("anyOf", [key_schema])
    values = [schema for schema in alternatives if not _domain_kind(schema)]
    domains = [kind for schema in alternatives if (kind := _domain_kind(schema))]
    return EntryKey(
        name,
        values,
        domains,
        required,
        default=key_schema.get("default"),
        description=key_schema.get("description", ""),
        mark=key_schema.get("x-mark", ""),
    )


def _domain_kind(schema: Schema) -> str:
    """Return the kind of a referenced domain, or an empty string."""
    return schema.get("$ref", "").partition("domain.")[2].partition(".")[0]
