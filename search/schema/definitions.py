"""Definitions of the parts of a space, each written once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from search.schema.describe import NAMED_PARTS, PARTS
from search.schema.domains import Schema, any_of, domain_schemas
from search.schema.sources import knob_schemas
from spaces.catalogue.allowed_values import describe_values
from spaces.catalogue.entries import CatalogueEntry
from spaces.domain import DOMAIN_KINDS

KINDS = {model.__name__: kind for kind, (model, _) in NAMED_PARTS.items()}  # method, data, model by class name
DEFINITION_NAMES = {"Teacher": "teacher.teacher", "Teachers": "part.teacher"}
DEFINITION_NAMES |= {model.__name__: f"part.{name}" for name, model in PARTS.items() if name != "teacher"}
# Restrictions of everything inside a value, for parts with the same keys as searchable ones.
RESTRICTIONS = {
    "only-choices": ("uniform", "loguniform", "int"),  # in a teacher: each of its values is a teacher to train
    "no-domains": DOMAIN_KINDS,  # in lists
}
UNSEARCHED_KEYS = ("seeds",)  # a student is trained for each of them


class Forms(NamedTuple):
    """Schema with optional keys, and schema with required keys."""

    partial: Schema
    complete: Schema


class Definitions:
    """Definitions written so far, by name, and the material for more.

    `sources` are pydantic's schemas by class name.
    """

    def __init__(self, entries: list[CatalogueEntry], sources: Mapping[str, Schema]) -> None:
        self.schemas: dict[str, Schema] = {}
        self._entries = {(entry.kind, entry.name): entry for entry in entries}
        self._sources = sources
        self._references: dict[str, Forms] = {}

    def key_forms(self, key: Schema, *, searchable: bool) -> Forms:
        """Return the schemas of a key: its values, and domains of them."""
        if "const" in key:
            return Forms(key, key)
        alternatives = key.get("anyOf", [key])
        values = [self._value(alternative, searchable) for alternative in alternatives]
        complete = [value.complete for value in values]
        domains = [self._domain(domain) for domain in domain_schemas(complete, DOMAIN_KINDS)] if searchable else []
        notes = {word: key[word] for word in ("description", "default", "x-mark") if _is_note(key.get(word))}
        if any(_part_name(alternative) == "Teachers" for alternative in alternatives):
            notes["allOf"] = [self._restriction("only-choices")]
        return Forms(
            any_of([*(value.partial for value in values), *domains], **notes),
            any_of([*complete, *domains], **notes),
        )

    def _value(self, value: Schema, searchable: bool) -> Forms:
        if part := _part_name(value):
            return self._part(part, searchable)
        plain = {word: value[word] for word in value if word not in ("title", "default", "description", "x-mark")}
        if part := _part_name(value.get("items", {})):
            plain["items"] = {"allOf": [self._part(part, searchable).complete, self._restriction("no-domains")]}
        return Forms(plain, plain)

    def _part(self, source: str, searchable: bool) -> Forms:
        """Return references to a part, or to a union of named parts."""
        if source in KINDS:
            return self._union(source, searchable)
        schema = self._sources[source]
        return self._object(DEFINITION_NAMES.get(source, f"part.{source.lower()}"), schema, searchable)

    def _object(self, name: str, source: Schema, searchable: bool) -> Forms:
        """Define an object and, if different, its complete form."""
        if name in self._references:
            return self._references[name]
        partial, complete = _reference(name), _reference(f"complete.{name}")
        self._references[name] = Forms(partial, complete)  # before the keys, for a teacher may have a teacher
        keys = {
            key: self.key_forms(schema, searchable=searchable and key not in UNSEARCHED_KEYS)
            for key, schema in source["properties"].items()
        }
        self.schemas[name] = {
            "title": source["title"].lower(),
            "description": _unwrapped(source.get("description", "")),
            "type": "object",
            "properties": {key: forms.partial for key, forms in keys.items()},
            "additionalProperties": False,
        }
        parts = {key: {"anyOf": forms.complete["anyOf"]} for key, forms in keys.items() if forms[0] != forms[1]}
        required = source.get("required", [])
        if parts or required:
            additions = {"properties": parts} if parts else {}
            additions |= {"required": required} if required else {}
            self.schemas[f"complete.{name}"] = {"allOf": [partial], **additions}
        else:
            self._references[name] = Forms(partial, partial)
        return self._references[name]

    def _union(self, source: str, searchable: bool) -> Forms:
        """Define a union of named parts, such as all methods."""
        kind = KINDS[source]
        if kind not in self._references:
            self._references[kind] = Forms(_reference(kind), _reference(f"complete.{kind}"))
            names = list(NAMED_PARTS[kind][1])
            parts = [self._named_part(source, name, searchable) for name in names]
            searched_name = [self._searched_name(kind, names)] if searchable else []
            # Names once more beside the parts: inside them, editors offer a name only if its other keys fit.
            properties = {"name": self._names(kind)}
            partial, complete = [part.partial for part in parts], [part.complete for part in parts]
            self.schemas[kind] = {"properties": properties, "anyOf": [*partial, *searched_name]}
            self.schemas[f"complete.{kind}"] = {"properties": properties, "anyOf": [*complete, *searched_name]}
        return self._references[kind]

    def _named_part(self, source: str, name: str, searchable: bool) -> Forms:
        """Define a named part by its class and its function."""
        kind, keys = KINDS[source], self._sources[source]["properties"]
        knobs = knob_schemas(NAMED_PARTS[kind][1][name])
        entry = self._entries[kind, name]
        common_keys = {key: schema for key, schema in keys.items() if key != "name"}
        is_default = keys["name"].get("default") == name
        schema = {
            "title": name,
            "description": "\n\n".join(filter(None, (f"{entry.summary}.", entry.formula, entry.paper))),
            "properties": {"name": {"const": name, "description": entry.summary}, **common_keys, **knobs["properties"]},
            "required": [*([] if is_default else ["name"]), *knobs.get("required", [])],
        }
        return self._object(f"{kind}.{name}", schema, searchable)

    def _names(self, kind: str) -> Schema:
        entries = [entry for (entry_kind, _), entry in self._entries.items() if entry_kind == kind]
        names = [{"const": entry.name, "description": entry.summary} for entry in entries]
        self.schemas[f"name.{kind}"] = any_of([*names, {"type": "object"}], description=f"Name of the {kind}")
        return _reference(f"name.{kind}")

    def _searched_name(self, kind: str, names: list[str]) -> Schema:
        """Define a named part with a searched name.

        Its other keys are unchecked.
        """
        (choice,) = domain_schemas([{"enum": names}], ["choice"])
        name = any_of([self._domain(choice, f"{kind}-name")], description=f"Name of the {kind}")
        schema = {"title": "one of several", "type": "object", "properties": {"name": name}, "required": ["name"]}
        self.schemas[f"named.{kind}"] = schema
        return _reference(f"named.{kind}")

    def _domain(self, domain: Schema, values: str = "") -> Schema:
        """Define a domain, once for all keys with the same values."""
        kind = domain["title"]
        items = domain["properties"][kind]["items"]
        slug = values or re.sub(r"[^\w.]+", "-", describe_values(items.get("anyOf", [items])))[:60]
        name, number = f"domain.{kind}.{slug}", 1
        while self.schemas.setdefault(name, domain) != domain:
            number += 1
            name = f"domain.{kind}.{slug}-{number}"
        return _reference(name)

    def _restriction(self, name: str) -> Schema:
        """Exclude domains of some kinds everywhere inside a value."""
        inside = _reference(name)
        excluded = dict.fromkeys(RESTRICTIONS[name], False)
        self.schemas[name] = {"properties": excluded, "additionalProperties": inside, "items": inside}
        return inside


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _unwrapped(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _part_name(schema: Schema) -> str | None:
    return schema.get("$ref", schema.get("x-part"))


def _is_note(value: Any) -> bool:
    # the default of a whole part is described key by key
    return value is not None and not isinstance(value, dict)
