"""A commented space to start from: what has to be said is said, what may be said stands there as a comment."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaces.catalogue import allowed_values
from spaces.catalogue.entries import HEAD, SCHEMA, Entry, Knob, default, knobs, named
from spaces.catalogue.example import example, options
from spaces.document import write

COLUMN = 40  # in which the comments beside values begin


def space(file: str, method: str, data: str, model: str) -> str:
    """The text of a space that searches a method's knobs; a UserError where a name is unknown."""
    way, images, network = (
        named(name, kind)[0] for name, kind in ((method, "method"), (data, "data"), (model, "model"))
    )
    holes = _holes(way)
    searched = {} if holes else {"lr": {"choice": [0.0003, 0.001, 0.003]}}
    student = dict(_network(network, default("student.model")))
    own = {**_layers(way, network), **holes}
    paths = [f"method.{name}" for name in holes] or ["train.lr"]
    lines = [
        *_head(file, way),
        *_block("data", {"name": data, **_needed(images, {})}, knobs(images)),
        f"teacher: {flow({'model': default('teacher.model'), 'train': {'epochs': 12}})}",
        "student:",
        *_block("model", student, knobs(network), indent="  "),
        *_block("method", {"name": method, **_needed(way, own)}, knobs(way)),
        *_block("train", {"epochs": 12, **searched}, knobs(named("train", "part")[0])),
        "seeds: [0, 1, 2]",
        "search: {algorithm: grid}",
        *([f"table: {{rows: {paths[0]}, columns: {paths[1]}}}"] if len(paths) > 1 else []),
    ]
    return "\n".join(lines) + "\n"


def _head(file: str, way: Entry) -> Iterator[str]:
    yield f"{HEAD}{Path(os.path.relpath(SCHEMA, Path(file).parent)).as_posix()}"
    yield from textwrap.wrap(f"{way.line}.", 100, initial_indent="# ", subsequent_indent="# ")
    yield from textwrap.wrap(f"Loss: {way.formula}", 100, initial_indent="# ", subsequent_indent="#   ")
    yield f"#   python -m search.run {file} --check"


def _block(key: str, given: dict[str, Any], known: list[Knob], indent: str = "") -> Iterator[str]:
    """A part key by key: first what is given, then as comments what else may stand there."""
    notes = {knob.name: f"{allowed_values.values(knob.values)}{knob.note and f' ({knob.note})'}" for knob in known}
    yield f"{indent}{key}:"
    yield from (_line(f"{indent}  {_pair(name, value)}", notes.get(name, "")) for name, value in given.items())
    for knob in known:
        if knob.name not in given:
            yield _line(f"{indent}  # {_pair(knob.name, knob.default)}", notes[knob.name])


def _line(text: str, note: str) -> str:
    return f"{text:<{COLUMN}} # {note}" if note else text


def _pair(name: str, value: Any) -> str:
    return f"{name}: {flow(value)}" if value is not None else f"{name}:"


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(name, each) for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return write({"x": [value]}).strip().removeprefix("x: [").removesuffix("]")


def _holes(way: Entry) -> dict[str, Any]:
    """Choices for the numbers that a method has to be told."""
    told = {knob.name: knob.values[0] for knob in knobs(way) if knob.required}
    return {name: {"choice": options(each)} for name, each in told.items() if each.get("type") == "number"}


def _needed(entry: Entry, own: dict[str, Any]) -> dict[str, Any]:
    """Values for all keys that have no default, in the order of the signature."""
    usual = default("student.model")
    needed = {knob.name: {"anyOf": knob.values} for knob in knobs(entry) if knob.required}
    return {name: own[name] if name in own else example(each, usual, name) for name, each in needed.items()}


def _network(network: Entry, usual: dict[str, Any]) -> dict[str, Any]:
    return usual if network.name == usual["name"] else {"name": network.name, **_needed(network, {})}


def _layers(way: Entry, network: Entry) -> dict[str, Any]:
    """Layers for a method that observes some: the last that the networks have."""
    teacher = named(default("teacher.model")["name"], "model")[0]
    known = {"student layer": network.layers, "teacher layer": teacher.layers}
    return {knob.name: known[knob.note][-1] for knob in knobs(way) if known.get(knob.note)}
