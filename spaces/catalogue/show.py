"""Text of `python -m spaces list` and `show`, 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from spaces.catalogue import allowed_values
from spaces.catalogue.entries import (
    KIND_TITLES,
    CatalogueEntry,
    EntryKey,
    catalogue_entries,
    entry_keys,
    keys_with_entries,
)
from spaces.catalogue.new_space import flow_yaml
from spaces.errors import UserError, closest_match

WIDTH = 100  # columns
KIND_WORDS = {kind: f"a {kind}" for kind in KIND_TITLES}
KIND_WORDS |= {"data": "a data set", "algorithm": "an algorithm", "part": "a part of a space"}


def list_text() -> str:
    """Return all names, each with one sentence and its keys."""
    return "\n\n".join(map(_kind_text, KIND_TITLES)) + "\n\nMore of one: python -m spaces show NAME"


def show_text(name: str) -> str:
    """Return the entries and the keys with this name.

    Raises UserError with a suggestion if there are none.
    """
    entries = [entry for entry in catalogue_entries() if entry.name == name]
    owners = keys_with_entries().get(name, [])
    if not entries and not owners:
        match = closest_match(name, [*(entry.name for entry in catalogue_entries()), *keys_with_entries()])
        advice = f"did you mean {match}?" if match else "python -m spaces list names all"
        raise UserError(f"{name}: no such name; {advice}")
    return "\n\n".join([*map(entry_text, entries), *([_key_text(name, owners)] if owners else [])])


def entry_text(entry: CatalogueEntry) -> str:
    """Return one entry: summary, formula, source, keys and details."""
    head = f"{entry.name}, {KIND_WORDS[entry.kind]}\n{_wrap(entry.summary + '.')}"
    facts = {"Loss" if entry.kind == "method" else "Written": entry.formula, "Source": entry.paper}
    facts |= {"Needs": ", ".join(entry.needs), "Layers": ", ".join(entry.layers)}
    fact_lines = "\n".join(_hang(f"  {word:<8}", text, 10) for word, text in facts.items() if text)
    details = [_wrap(paragraph) for paragraph in entry.details.split("\n\n") if paragraph]
    return "\n\n".join(filter(None, (head, fact_lines, _keys_table(entry_keys(entry)), *details)))


def default_text(value: object) -> str:
    """Return a default as a space writes it, a dash for none."""
    return "–" if value is None else flow_yaml(value)


def _key_text(name: str, owners: list[tuple[CatalogueEntry, EntryKey]]) -> str:
    """Return the owners of a key, with its values there."""
    rows = [((entry.name, KIND_WORDS[entry.kind], *_key_cells(key)[1:]), key.description) for entry, key in owners]
    return f"{name}, a key of\n\n" + _table([(("name", "", "value", "default", "searched by"), ""), *rows], wide=2)


def _kind_text(kind: str) -> str:
    entries = catalogue_entries(kind)
    width = max(len(entry.name) for entry in entries) + 4
    return "\n".join([KIND_TITLES[kind], *(line for entry in entries for line in _listed_lines(entry, width))])


def _listed_lines(entry: CatalogueEntry, width: int) -> Iterator[str]:
    authors_and_year = entry.paper.partition(")")[0] + ")"
    summary = f"{entry.summary}; {authors_and_year}" if entry.paper else entry.summary
    yield _hang(f"  {entry.name:<{width - 2}}", summary, width)
    if keys := ", ".join(key.name for key in entry_keys(entry)):
        yield _hang(" " * width, f"keys: {keys}", width)


def _keys_table(keys: list[EntryKey]) -> str:
    if not keys:
        return ""
    heads = (("key", "value", "default", "searched by"), "")
    return _table([heads, *((_key_cells(key), key.description) for key in keys)], wide=1)


def _key_cells(key: EntryKey) -> tuple[str, str, str, str]:
    value = allowed_values.describe_values(key.values) + (f" ({key.mark})" if key.mark else "")
    return key.name, value, "required" if key.required else default_text(key.default), ", ".join(key.domains) or "–"


def _table(rows: list[tuple[tuple[str, ...], str]], wide: int) -> str:
    """Return rows of cells, each with a note below it.

    The column `wide` is wrapped if the lines would be too long.
    """
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    widths[wide] = min(widths[wide], WIDTH + widths[wide] - sum(widths) - 2 * len(widths))
    return "\n".join(line for cells, note in rows for line in (*_row_lines(cells, widths), *_note_lines(note)))


def _row_lines(cells: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        line = [cell[number] if number < len(cell) else "" for cell in wrapped]
        yield "  " + "  ".join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip()


def _note_lines(note: str) -> list[str]:
    return [_hang("      ", note, 6)] if note else []


def _wrap(text: str) -> str:
    return _hang("  ", text, 2)


def _hang(head: str, text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * indent)
