"""The generated parts of the reference, as Markdown: what the schema, the docstrings and the command lines say.

A page asks for one by a line `<!-- generated: NAME -->`, which conf.py replaces; so nothing is typed twice.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import tree

from spaces.catalogue import allowed_values, show
from spaces.catalogue.entries import Entry, Knob, entries, knobs, schema

ROOT = Path(__file__).parent.parent
WIDTH = 88  # columns of code that a page shows without scrolling
COMMANDS = (
    "search.run",
    "spaces",
    "spaces new",
    "results",
    "results compare",
    "results.export",
    "results.compare.published_table",
)
HEADS = ("key", "value", "default", "searched by")
PAGES = {"data": "data", "method": "methods"}  # by the key at the top of a space whose names they list


def generated(name: str) -> str:
    """The Markdown for a mark such as `entries method` or `tree`; KeyError for a name that stands for nothing."""
    kind, _, argument = name.partition(" ")
    return MADE[kind](argument) if argument else MADE[kind]()


def listed(kind: str) -> str:
    """Everything of one kind that has a name in a space, a section each."""
    return "\n\n".join(map(section, entries(kind)))


def named(kind: str) -> str:
    """Everything of one kind as a table, for kinds whose entries have no keys."""
    found = entries(kind)
    notes = [f"`{each.formula}`" if each.formula else each.paper for each in found]
    rows = [(f"`{each.name}`", each.line, note) for each, note in zip(found, notes, strict=True)]
    return table([("name", "what", "written" if found[0].formula else "source"), *rows])


def section(entry: Entry) -> str:
    """One entry: its sentence, formula and source, its keys, and what its docstring says beyond."""
    told = [each for each in entry.text.split("\n\n") if each not in (entry.formula, f"{entry.line}.")]
    parts = [
        f"## {entry.name}",
        f"{entry.line}.",
        f"```text\n{textwrap.fill(entry.formula, WIDTH)}\n```" * bool(entry.formula),
        f"Source: {entry.paper}." * bool(entry.paper),
        keys(knobs(entry)),
        *told,
        f"Layers that a method may observe, in its plainest form: `{'`, `'.join(entry.layers)}`." * bool(entry.layers),
    ]
    return "\n\n".join(filter(None, parts))


def keys(found: list[Knob]) -> str:
    """The keys of an entry as a table; empty where it has none."""
    return table([HEADS, *map(_row, found)]) if found else ""


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as a table of Markdown, the heads first."""
    head, *rest = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])


def _row(knob: Knob) -> tuple[str, ...]:
    value = allowed_values.values(knob.values) + (f" ({knob.note})" if knob.note else "")
    default = "required" if knob.required else f"`{show.plain(knob.default)}`"
    return f"`{knob.name}`", value, default, ", ".join(knob.domains) or "–"


def top() -> str:
    """The keys at the top of a space."""
    return table([("key", "what"), *((f"`{key}`", _about(key)) for key in schema()["properties"])])


def _about(key: str) -> str:
    """What a key at the top is: its part's own sentence, or what its value looks like."""
    given = schema()["properties"][key]
    if key in PAGES:
        return f"a name from [{PAGES[key]}]({PAGES[key]}.md), and the keys that it takes"
    part = next((each.line for each in entries("part") if each.name == key), "")
    return part or given.get("description") or allowed_values.values(given.get("anyOf", [given]))


def parts() -> str:
    """The parts of a space, a section each, with those that have no entry of their own in the catalogue."""
    known = {each.name for each in entries("part")}
    defined = schema()["definitions"].items()
    others = [
        Entry("part", name[5:], given["description"]) for name, given in defined if re.fullmatch(r"part\.\w+", name)
    ]
    told = [each._replace(line=each.line.rstrip(".")) for each in others if each.name not in known]
    return "\n\n".join(map(section, [*entries("part"), *told]))


def commands() -> str:
    """The help of every command line."""
    return "\n\n".join(f"## python -m {name}\n\n```text\n{_help(name)}\n```" for name in COMMANDS)


def _help(name: str) -> str:
    module, *command = name.split()
    found = importlib.import_module(module)
    program = found if hasattr(found, "main") else importlib.import_module(f"{module}.__main__")
    with redirect_stdout(StringIO()) as told, suppress(SystemExit):
        program.main([*command, "--help"])
    return told.getvalue().strip()


def readme(name: str) -> str:
    """What stands between two marks of the README, where it was put by a command."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if found is None:
        raise KeyError(name)
    return found[1]


MADE: dict[str, Callable[..., str]] = {
    "entries": listed,
    "names": named,
    "keys": top,
    "parts": parts,
    "commands": commands,
    "readme": readme,
    "tree": tree.tree,
}
