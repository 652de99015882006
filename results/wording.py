"""Texts of numbers, knobs and cells in all outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas

from results.grids import Grid


def short_name(knob: str, knobs: list[str]) -> str:
    """Return the last part of a knob's path.

    The whole path if another knob ends in the same word.
    """
    last = knob.rpartition(".")[2]
    return knob if sum(name.rpartition(".")[2] == last for name in knobs) > 1 else last


def format_label(value: Any) -> str:
    """Return a value in at most four digits, a dash without one."""
    if pandas.isna(value):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_configuration(values: Mapping[str, Any], knobs: list[str]) -> str:
    """Return the knobs with a value, such as `alpha 0.5, temperature 4`."""
    names = [name for name in knobs if name in values and not pandas.isna(values[name])]
    return ", ".join(f"{short_name(name, knobs)} {format_label(values[name])}" for name in names)


def format_percent(mean: float, std: float = float("nan")) -> str:
    """Return fractions as `98.70 ± 0.05`.

    Without ± for a single seed, a dash for a missing number.
    """
    if pandas.isna(mean):
        return "–"
    return f"{100 * mean:.2f}" if pandas.isna(std) else f"{100 * mean:.2f} ± {100 * std:.2f}"


def format_points(difference: float) -> str:
    """Return a difference of fractions as `+1.04` points."""
    return f"{100 * difference:+.2f}".replace("-", "−")


def format_cells(table: Grid) -> list[list[str]]:
    """Return the cells of a table, such as `= 98.70 ± 0.05 (3)`.

    The mark `=` is that of a tie. n is shown if the cells differ in it, or as `2 of 3` if students
    are missing.
    """
    return [[_format_cell(table, row, column) for column in range(table.n.shape[1])] for row in range(table.n.shape[0])]


def _format_cell(table: Grid, row: int, column: int) -> str:
    if not table.n[row, column]:
        return count_text(table, row, column) if table.asked[row, column] else "–"
    mark = "= " if table.is_tied[row, column] else ""
    n = f" ({count_text(table, row, column)})" * (not has_equal_counts(table))
    return f"{mark}{format_percent(table.mean[row, column], table.std[row, column])}{n}"


def count_text(table: Grid, row: int, column: int) -> str:
    """Return the finished students of a cell, as `3` or `2 of 3`."""
    n, most = table.n[row, column], table.asked[row, column]
    return f"{n} of {most}" if n < most else str(n)


def has_equal_counts(table: Grid) -> bool:
    """True if all cells have the same n, none too few."""
    return bool((table.n == table.n.max()).all() and (table.n >= table.asked).all())


def describe_counts(table: Grid) -> str:
    """Return `n = 3 in every cell`, or a pointer to the cells."""
    return f"n = {table.n.max()} in every cell" if has_equal_counts(table) else "n in the cells"


def format_p(p: float) -> str:
    """Return a p value as `p < 0.001` or `p = 0.021`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def plain_text(line: str) -> str:
    """Return a line of Markdown without bold and code marks."""
    return line.replace("**", "").replace("`", "")


def capitalize(name: str) -> str:
    """Capitalize a plain word, but no dotted path."""
    return name[:1].upper() + name[1:] if "." not in name and "_" not in name else name


def format_duration(seconds: float) -> str:
    """Return `4.2 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
