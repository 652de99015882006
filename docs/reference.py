"""Generated parts of the reference pages, as Markdown.

They come from the schema, the docstrings and the help of the commands. conf.py puts them in place of the marks
`<!-- generated: NAME -->` in a page.
"""

from __future__ import annotations

import importlib
import os
import re
import textwrap
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from unittest import mock

import tree

from spaces.catalogue import allowed_values, show
from spaces.catalogue.entries import CatalogueEntry, EntryKey, catalogue_entries, entry_keys, load_schema

DOCS = Path(__file__).parent
WIDTH = 88  # columns of code visible on a page without scrolling
# By command: the module with its `main`, and arguments before --help.
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "distil": ("search.distil", []),
    "search.run": ("search.launch", []),
    "spaces": ("spaces.__main__", []),
    "spaces new": ("spaces.__main__", ["new"]),
    "results": ("results.command_line", []),
    "results compare": ("results.command_line", ["compare"]),
    "results export": ("results.command_line", ["export"]),
    "trainables.cache": ("trainables.cache", []),
    "results.compare.published_table": ("results.compare.published_table", []),
}
KEY_HEADS = ("key", "what", "value", "default", "searched by")
NAME_PAGES = {"data": "data", "method": "methods"}  # pages with the names for a key at the top of a space


def generated(mark: str) -> str:
    """Return the Markdown for a mark such as `entries method` or `tree`.

    Raises KeyError for an unknown mark.
    """
    kind, _, argument = mark.partition(" ")
    return GENERATORS[kind](argument) if argument else GENERATORS[kind]()


def entry_sections(kind: str) -> str:
    """Return all entries of a kind, one section each."""
    return "\n\n".join(map(entry_section, catalogue_entries(kind)))


def entry_table(kind: str) -> str:
    """Return all entries of a kind as a table, for kinds without keys."""
    entries = catalogue_entries(kind)
    rows = [(f"`{entry.name}`", entry.summary, _form_or_paper(entry)) for entry in entries]
    return markdown_table([("name", "what", "written" if entries[0].formula else "source"), *rows])


def method_table() -> str:
    """Return all methods with their needs and sources as a table."""
    rows = [
        (f"[`{entry.name}`](#{entry.name.replace('_', '-')})", entry.summary, ", ".join(entry.needs), entry.paper)
        for entry in catalogue_entries("method")
    ]
    return markdown_table([("method", "what", "needs", "source"), *rows])


def entry_section(entry: CatalogueEntry) -> str:
    """Return one entry: summary, formula, paper, keys, details and layers."""
    parts = [
        f"## {entry.name}",
        f"{entry.summary}.",
        f"```text\n{textwrap.fill(entry.formula, WIDTH)}\n```" * bool(entry.formula),
        f"Source: {entry.paper}." * bool(entry.paper),
        f"Needs: {', '.join(entry.needs)}." * bool(entry.needs),
        key_table(entry_keys(entry)),
        entry.details,
        f"Observable layers, with example keys: `{'`, `'.join(entry.layers)}`." * bool(entry.layers),
    ]
    return "\n\n".join(filter(None, parts))


def key_table(keys: list[EntryKey]) -> str:
    """Return the keys of an entry as a table; empty for none."""
    return markdown_table([KEY_HEADS, *map(_key_row, keys)]) if keys else ""


def markdown_table(rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table; the first row has the heads."""
    head, *rest = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])


def _form_or_paper(entry: CatalogueEntry) -> str:
    return f"`{entry.formula}`" if entry.formula else entry.paper


def _key_row(key: EntryKey) -> tuple[str, ...]:
    default = "required" if key.required else f"`{show.default_text(key.default)}`"
    values = allowed_values.describe_values(key.values)
    return f"`{key.name}`", key.description, values, default, ", ".join(key.domains) or "–"


def space_keys() -> str:
    """Return the keys at the top of a space as a table."""
    return markdown_table([("key", "what"), *((f"`{key}`", _space_key(key)) for key in load_schema()["properties"])])


def _space_key(key: str) -> str:
    description = load_schema()["properties"][key]["description"]
    page = NAME_PAGES.get(key)
    return f"{description}. Names and their keys: [{page}]({page}.md)." if page else description


def space_parts() -> str:
    """Return the parts of a space, one section each."""
    entries = {entry.name: entry for entry in catalogue_entries("part")}
    for definition, schema in load_schema()["definitions"].items():  # those without an entry
        if match := re.fullmatch(r"part\.(\w+)", definition):
            summary = schema["description"].split("\n\n")[0].rstrip(".")
            entries.setdefault(match[1], CatalogueEntry("part", match[1], summary))
    return "\n\n".join(map(entry_section, entries.values()))


def command_help() -> str:
    """Return the help of all commands."""
    return "\n\n".join(
        f"## {name if name == 'distil' else f'python -m {name}'}\n\n```text\n{_help_text(name)}\n```"
        for name in COMMANDS
    )


def _help_text(name: str) -> str:
    module, arguments = COMMANDS[name]
    width = mock.patch.dict(os.environ, COLUMNS=str(WIDTH))  # which argparse wraps to
    with width, redirect_stdout(StringIO()) as output, suppress(SystemExit):
        importlib.import_module(module).main([*arguments, "--help"])
    return output.getvalue().strip()


def experiment_block(name: str) -> str:
    """Return the lines between two marks of a page in docs/experiments."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "experiments").glob("*.md")))
    block = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", pages, re.DOTALL)
    if block is None:
        raise KeyError(name)
    return block[1]


GENERATORS: dict[str, Callable[..., str]] = {
    "entries": entry_sections,
    "names": entry_table,
    "methods": method_table,
    "keys": space_keys,
    "parts": space_parts,
    "commands": command_help,
    "experiment": experiment_block,
    "tree": tree.tree,
}
