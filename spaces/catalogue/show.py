"""What there is, as text of at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from spaces.catalogue import allowed_values
from spaces.catalogue.entries import TITLES, Entry, Knob, entries, keys, knobs
from spaces.catalogue.new_space import flow
from spaces.errors import UserError, close

WIDTH = 100
KINDS = {kind: f"a {kind}" for kind in TITLES}
KINDS |= {"data": "a data set", "algorithm": "an algorithm", "part": "a part of a space"}


def everything() -> str:
    """All names, each with one sentence and its keys."""
    return "\n\n".join(_listed(kind) for kind in TITLES) + "\n\nMore of one: python -m spaces show NAME"


def about(name: str) -> str:
    """What has this name: entries, and where it is a key the entries that take it; a UserError with the nearest."""
    found, taken = [each for each in entries() if each.name == name], keys().get(name, [])
    if not found and not taken:
        near = close(name, [*(each.name for each in entries()), *keys()])
        raise UserError(
            f"{name}: no such name; {f'did you mean {near}?' if near else 'python -m spaces list names all'}"
        )
    return "\n\n".join([*map(entry, found), *([_key(name, taken)] if taken else [])])


def _key(name: str, taken: list[tuple[Entry, Knob]]) -> str:
    """Where a key may stand, and which values it takes there."""
    rows = [(found.name, KINDS[found.kind], *_row(knob)[1:]) for found, knob in taken]
    return f"{name}, a key of\n\n" + _aligned([("name", "", "value", "default", "searched by"), *rows], wide=2)


def entry(found: Entry) -> str:
    """One entry: what it is, its formula, its source, its keys and what its docstring says beyond."""
    head = f"{found.name}, {KINDS[found.kind]}\n{_wrapped(found.line + '.')}"
    told = {"Loss" if found.kind == "method" else "Written": found.formula, "Source": found.paper}
    told |= {"Layers": ", ".join(found.layers)}
    facts = "\n".join(_fact(word, text) for word, text in told.items() if text)
    said = (found.formula, found.line)
    more = [
        each for each in found.text.split("\n\n") if each not in said and each.rstrip(".…") != found.line.rstrip("…")
    ]
    return "\n\n".join(filter(None, (head, facts, _keys(knobs(found)), *map(_wrapped, more))))


def _listed(kind: str) -> str:
    found = entries(kind)
    width = max(len(each.name) for each in found) + 4
    lines = [_hung(f"  {each.name:<{width - 2}}", each.line, width) for each in found]
    keys = [", ".join(knob.name for knob in knobs(each)) for each in found]
    below = [f"\n{_hung(' ' * width, f'keys: {names}', width)}" if names else "" for names in keys]
    return "\n".join([TITLES[kind], *map("".join, zip(lines, below, strict=True))])


def _keys(found: list[Knob]) -> str:
    return _aligned([("key", "value", "default", "searched by"), *map(_row, found)], wide=1) if found else ""


def _aligned(rows: list[tuple[str, ...]], wide: int) -> str:
    """A table of which one column gives way where lines would be too long."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[wide] = min(widths[wide], WIDTH + widths[wide] - sum(widths) - 2 * len(widths))
    return "\n".join(line for row in rows for line in _lines(row, widths))


def _row(knob: Knob) -> tuple[str, str, str, str]:
    value = allowed_values.values(knob.values) + (f" ({knob.note})" if knob.note else "")
    return knob.name, value, "required" if knob.required else plain(knob.default), ", ".join(knob.domains) or "–"


def plain(value: object) -> str:
    """A value as it is written in a space; a dash for none."""
    return "–" if value is None else flow(value)


def _lines(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    """A row of a table, a long cell on several lines."""
    cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        line = [cell[number] if number < len(cell) else "" for cell in cells]
        yield "  " + "  ".join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip()


def _fact(word: str, text: str) -> str:
    return _hung(f"  {word:<8}", text, 10)


def _wrapped(text: str) -> str:
    return _hung("  ", text, 2)


def _hung(head: str, text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * indent)
