"""How numbers, knobs and findings are put into words and cells, the same in Markdown, pictures and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import pandas

from results.grids import Grid
from results.stats import Difference, Effect


def short(knob: str, knobs: list[str]) -> str:
    """`temperature` for `method.temperature`, unless another knob ends in the same word."""
    last = knob.rpartition(".")[2]
    return knob if sum(other.rpartition(".")[2] == last for other in knobs) > 1 else last


def label(value: Any) -> str:
    """A knob's value in as few digits as tell it apart; a dash where a student does not have the knob."""
    if pandas.isna(value):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def configuration(values: Mapping[str, Any], knobs: list[str]) -> str:
    """The knobs that something has, in the order of `knobs`: `alpha 0.5, temperature 4`."""
    known = [name for name in knobs if name in values and not pandas.isna(values[name])]
    return ", ".join(f"{short(name, knobs)} {label(values[name])}" for name in known)


def percent(mean: float, std: float = float("nan")) -> str:
    """`98.70 ± 0.05` for fractions, without ± where there is a single seed, a dash where there is none."""
    if pandas.isna(mean):
        return "–"
    return f"{100 * mean:.2f}" if pandas.isna(std) else f"{100 * mean:.2f} ± {100 * std:.2f}"


def cells(table: Grid) -> list[list[str]]:
    """The cells of a table as `= 98.70 ± 0.05 (3)`: tie mark, percent, and n where the cells differ in it."""
    return [[_cell(table, row, column) for column in range(table.n.shape[1])] for row in range(table.n.shape[0])]


def _cell(table: Grid, row: int, column: int) -> str:
    if not table.n[row, column]:
        return "–"
    mark = "= " if table.tied[row, column] else ""
    n = f" ({table.n[row, column]})" * (not even(table))
    return f"{mark}{percent(table.mean[row, column], table.std[row, column])}{n}"


def even(table: Grid) -> bool:
    """Whether all cells have the same n, which is then said once and not in every cell."""
    return bool((table.n == table.n.max()).all())


def counts(table: Grid) -> str:
    """Where to find n: `n = 3 in every cell`, or in the cells."""
    return f"n = {table.n.max()} in every cell" if even(table) else "n in the cells"


def effect(found: Effect, rows: str, columns: str) -> str:
    """One plain sentence about one line of the analysis of variance."""
    numbers = f"(F({found.freedom},{found.residual_freedom})={found.f:.2f}, {chance(found.p)})"
    known = "a detectable" if found.detected else "no detectable"
    if found.name == "interaction":
        return f"{rows} and {columns} have {known} interaction {numbers}."
    return f"{rows if found.name == 'rows' else columns} has {known} effect {numbers}."


def chance(p: float) -> str:
    """A p value as it is printed in papers."""
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def difference(found: Difference) -> str:
    """`+0.80 points, paired over 3 seeds, 95 % CI [+0.61, +0.99] (…)`, and where the noise in it was taken from."""
    mean = f"{100 * found.mean:+.2f} points"
    if numpy.isnan(found.low):
        return f"{mean}, over one seed: without an interval"
    noise = f"pooled residual of cells × seeds, the baseline a cell, {found.freedom} degrees of freedom"
    return f"{mean}, paired over {found.n} seeds, 95 % CI [{100 * found.low:+.2f}, {100 * found.high:+.2f}] ({noise})"


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
