"""`python -m search.schema`: spaces/schema.json from the models and the registries, for editors and `python -m spaces`.

JSON Schema draft 7, which the language servers of editors know best. It says what a file may look like; what its
values must do together is left to --check.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from search.schema.describe import NAMED, PARTS, entries
from search.schema.domains import Schema, domains, either
from search.schema.sources import signature, sources
from spaces.catalogue.entries import Entry
from spaces.domain import KINDS
from spaces.recipe import Recipe

KIND = {kind.__name__: name for name, (kind, _) in NAMED.items()}  # of a named part, by its class


class Form(NamedTuple):
    """The domains that may stand in a part, and whether it may be incomplete, as in `fallback`."""

    domains: tuple[str, ...]
    partial: bool = False

    @property
    def suffix(self) -> str:
        """What tells the definitions of this form from those of the usual one."""
        words = {KINDS: "", ("choice",): "-choices"}.get(self.domains, "-plain")
        return words + ("-partial" if self.partial else "")


class Draft(NamedTuple):
    """What everything is called, pydantic's schemas by the name of the class, and the definitions written so far."""

    named: list[Entry]
    sources: Mapping[str, Schema]
    definitions: dict[str, Schema]


def build() -> Schema:
    """The schema of a space; x-catalogue and x-defaults are for `python -m spaces`."""
    named = list(entries())
    draft = Draft(named, sources(named), {})
    top = _properties(draft, complete=True)
    instead = {"type": "object", "properties": _properties(draft, complete=False), "additionalProperties": False}
    top["fallback"] = {"description": "Instead of the parts above where their data is not there.", **instead}
    student, teacher = Recipe().student, Recipe().teacher
    defaults = {"student.model": student.model, "teacher.model": teacher.model if teacher else student.model}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Written by `make schema`.",
        "title": "A space",
        "description": "A recipe with holes, and how to search it.",
        "type": "object",
        "properties": top,
        "additionalProperties": False,
        "definitions": dict(sorted(draft.definitions.items())),
        "x-defaults": {path: model.model_dump(exclude_none=True) for path, model in defaults.items()}
        | {"data": Recipe().data.model_dump(), "method": Recipe().method.model_dump()},
        "x-catalogue": [entry._asdict() for entry in named],
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"


def _properties(draft: Draft, *, complete: bool) -> dict[str, Schema]:
    """The keys at the top of a file."""
    # Data cannot be searched; each value of a teacher's hole is a teacher to be taught, so it has no ranges.
    kinds = {"data": (), "teacher": ("choice",)}
    recipe, sections = (draft.sources[name]["properties"] for name in ("Recipe", "Sections"))
    found = {name: _key(draft, given, Form(kinds.get(name, KINDS), not complete)) for name, given in recipe.items()}
    return found | {name: _key(draft, given, Form((), not complete)) for name, given in sections.items()}


def _key(draft: Draft, given: Schema, form: Form) -> Schema:
    """What may stand at a key that pydantic describes so: its values, and domains of them."""
    if "const" in given:
        return given
    alternatives = given.get("anyOf", [given])
    values = [value for each in alternatives for value in _values(draft, each, form)]
    whole = [value for each in alternatives for value in _values(draft, each, form._replace(partial=False))]
    more = {word: given[word] for word in ("description", "default") if _telling(given.get(word))}
    for part in map(_referred, alternatives):
        more |= {"properties": {"name": _names(draft, KIND[part])}} if part in KIND else {}
    return either([*values, *_shared(draft, domains(whole, form.domains))], **more)


def _shared(draft: Draft, found: list[Schema]) -> list[Schema]:
    """References to domains, each defined once however many keys may be searched by it."""
    names = [f"domain.{each['title']}.{hashlib.sha256(json.dumps(each).encode()).hexdigest()[:8]}" for each in found]
    draft.definitions.update(zip(names, found, strict=True))
    return [{"$ref": f"#/definitions/{name}"} for name in names]


def _telling(word: Any) -> bool:
    # The defaults of whole parts are told key by key.
    return word is not None and not isinstance(word, dict)


def _values(draft: Draft, given: Schema, form: Form) -> list[Schema]:
    if (part := _referred(given)) is not None:
        return _part(draft, part, form)
    plain = {word: found for word, found in given.items() if word not in ("title", "default", "description")}
    if (part := _referred(given.get("items", {}))) is not None:
        plain["items"] = either(_part(draft, part, Form(())))  # no domain stands inside a list
    return [plain]


def _referred(given: Schema) -> str | None:
    return given.get("$ref", given.get("x-part"))


def _part(draft: Draft, source: str, form: Form) -> list[Schema]:
    """References to the definitions of a part: one, or one for each name it may have."""
    if source not in KIND:
        known = {"Teachers": "part.teacher"} | {kind.__name__: f"part.{name}" for name, kind in PARTS.items()}
        place = "teacher.teacher" if source == "Teacher" else known.get(source, f"part.{source.lower()}")
        return [_defined(draft, place, form, partial(_object, draft, draft.sources[source], form))]
    kind = KIND[source]
    makers = {name: partial(_variant, draft, source, name, form) for name in NAMED[kind][1]}
    names = [_defined(draft, f"{kind}.{name}", form, made) for name, made in makers.items()]
    if not form.domains:
        return names
    return [*names, _defined(draft, f"named.{kind}", Form(KINDS), lambda: _open(list(makers)))]


def _defined(draft: Draft, name: str, form: Form, made: Callable[[], Schema]) -> Schema:
    if name + form.suffix not in draft.definitions:
        draft.definitions[name + form.suffix] = {}  # first, because a teacher may have a teacher
        draft.definitions[name + form.suffix] = made()
    return {"$ref": f"#/definitions/{name}{form.suffix}"}


def _object(draft: Draft, source: Schema, form: Form) -> Schema:
    needed = [] if form.partial else source.get("required", [])
    return {
        "title": source["title"].lower(),
        "description": source.get("description", ""),
        "type": "object",
        "properties": {
            # Seeds are no hole: all of them are trained.
            name: _key(draft, given, Form(()) if name == "seeds" else form)
            for name, given in source["properties"].items()
        },
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _variant(draft: Draft, source: str, name: str, form: Form) -> Schema:
    """A named part with one of its names: the keys of its class, and the knobs of its function."""
    declared = draft.sources[source]["properties"]
    knobs = signature(NAMED[KIND[source]][1][name])
    entry = next(each for each in draft.named if (each.kind, each.name) == (KIND[source], name))
    named = {"const": name, "description": entry.line}
    own = {key: given for key, given in declared.items() if key != "name"}
    implied = declared["name"].get("default") == name
    return _object(
        draft,
        {
            "title": name,
            "description": "\n\n".join(filter(None, (entry.line + ".", entry.formula, entry.paper))),
            "properties": {"name": named, **own, **knobs["properties"]},
            "required": [*([] if implied else ["name"]), *knobs.get("required", [])],
        },
        form,
    )


def _names(draft: Draft, kind: str) -> Schema:
    """The names of a kind, once more beside the definitions: editors offer only those whose other keys are there."""
    words = [{"const": each.name, "description": each.line} for each in draft.named if each.kind == kind]
    return _defined(draft, f"name.{kind}", Form(KINDS), lambda: either([*words, {"type": "object"}]))


def _open(names: list[str]) -> Schema:
    """A named part whose name itself is searched."""
    name = either(domains([{"enum": names}], ["choice"]))
    return {"title": "one of several", "type": "object", "properties": {"name": name}, "required": ["name"]}
