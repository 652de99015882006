"""Text of `python -m spaces new`: a space with all keys.

Optional keys are comments.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

from spaces.catalogue import allowed_values
from spaces.catalogue.entries import (
    SCHEMA_COMMENT,
    SCHEMA_FILE,
    CatalogueEntry,
    EntryKey,
    default_part,
    entry_keys,
    find_entries,
)
from spaces.catalogue.example import example_numbers, example_value
from spaces.document import Tree, YamlValue, dump_yaml

COMMENT_COLUMN = 40
WIDTH = 100  # columns


def new_space_text(file: str, method: str, data: str, model: str) -> str:
    """Return the text of a space over the knobs of a method.

    Raises UserError for an unknown name.
    """
    method_entry, data_entry, model_entry = (
        find_entries(name, kind)[0] for name, kind in ((method, "method"), (data, "data"), (model, "model"))
    )
    searched = _searched_values(method_entry)
    train = {"epochs": 12} if searched else {"epochs": 12, "lr": {"choice": [0.0003, 0.001, 0.003]}}
    student = dict(_example_network(model_entry, default_part("student.model")))
    knobs = {**_observed_layers(method_entry, model_entry), **searched}
    paths = [f"method.{name}" for name in searched] or ["train.lr"]
    teacher = {"model": default_part("teacher.model"), "train": {"epochs": 12}}
    lines = [
        *_head_lines(file, method_entry),
        *_part_lines("data", {"name": data, **_required_values(data_entry, {})}, entry_keys(data_entry)),
        f"teacher: {flow_yaml(teacher)}",
        "student:",
        *_part_lines("model", student, entry_keys(model_entry), indent="  "),
        *_part_lines("method", {"name": method, **_required_values(method_entry, knobs)}, entry_keys(method_entry)),
        *_part_lines("train", train, entry_keys(find_entries("train", "part")[0])),
        "seeds: [0, 1, 2]",
        "search: {algorithm: grid}",
        *([f"table: {{rows: {paths[0]}, columns: {paths[1]}}}"] if len(paths) > 1 else []),
    ]
    return "\n".join(lines) + "\n"


def flow_yaml(value: YamlValue) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(name, item) for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_yaml, value)) + "]"
    return dump_yaml({"x": [value]}).strip().removeprefix("x: [").removesuffix("]")


def _head_lines(file: str, method: CatalogueEntry) -> Iterator[str]:
    yield f"{SCHEMA_COMMENT}{Path(os.path.relpath(SCHEMA_FILE, Path(file).parent)).as_posix()}"
    source = f", after {method.paper}" if method.paper else ""
    yield from textwrap.wrap(f"{method.summary}{source}.", WIDTH, initial_indent="# ", subsequent_indent="# ")
    yield from textwrap.wrap(f"Loss: {method.formula}", WIDTH, initial_indent="# ", subsequent_indent="#   ")
    yield f"#   python -m search.run {file} --check"


def _part_lines(part: str, values: Tree, keys: list[EntryKey], indent: str = "") -> Iterator[str]:
    """Yield the values of a part, then its other keys as comments."""
    notes = {key.name: _note(key) for key in keys}
    yield f"{indent}{part}:"
    for name, value in values.items():
        yield from _annotated_lines(f"{indent}  {_pair(name, value)}", notes.get(name, ""))
    for key in keys:
        if key.name not in values:
            yield from _annotated_lines(f"{indent}  # {_pair(key.name, key.default)}", notes[key.name])


def _note(key: EntryKey) -> str:
    values = allowed_values.describe_values(key.values)
    return f"{key.description} ({values})" if key.description else values


def _annotated_lines(text: str, note: str) -> Iterator[str]:
    """Yield a line with a note, wrapped into comment lines below."""
    notes = textwrap.wrap(note, WIDTH - max(COMMENT_COLUMN, len(text)) - 3)
    yield f"{text:<{COMMENT_COLUMN}} # {notes[0]}" if notes else text
    yield from (f"{'':<{max(COMMENT_COLUMN, len(text))}} # {line}" for line in notes[1:])


def _pair(name: str, value: YamlValue) -> str:
    return f"{name}: {flow_yaml(value)}" if value is not None else f"{name}:"


def _searched_values(method: CatalogueEntry) -> Tree:
    """Return a choice for each required number of a method."""
    schemas = {key.name: key.values[0] for key in entry_keys(method) if key.required}
    return {
        name: {"choice": example_numbers(schema)} for name, schema in schemas.items() if schema.get("type") == "number"
    }


def _required_values(entry: CatalogueEntry, values: Tree) -> Tree:
    """Return a value or an example for each required key."""
    network = default_part("student.model")
    schemas = {key.name: {"anyOf": key.values} for key in entry_keys(entry) if key.required}
    return {
        name: values[name] if name in values else example_value(schema, network, name)
        for name, schema in schemas.items()
    }


def _example_network(model: CatalogueEntry, default: Tree) -> Tree:
    return default if model.name == default["name"] else {"name": model.name, **_required_values(model, {})}


def _observed_layers(method: CatalogueEntry, model: CatalogueEntry) -> Tree:
    """Return the last layer of a network for each layer knob."""
    teacher = find_entries(default_part("teacher.model")["name"], "model")[0]
    layers = {"student layer": model.layers, "teacher layer": teacher.layers}
    last = {key.name: layers[key.mark][-1] for key in entry_keys(method) if layers.get(key.mark)}
    lists = {key.name for key in entry_keys(method) if key.values[0].get("type") == "array"}
    return {name: [layer] if name in lists else layer for name, layer in last.items()}
