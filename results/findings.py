"""Findings of a table of two knobs, and their statistical tests."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from results import grids, wording
from results.experiment import Experiment
from results.grids import Grid
from results.leaderboard import FAILURES, first_line, status_counts_text
from results.protocol import deviation_note
from results.stats import Effect
from results.students import knob_columns
from spaces.domain import Choice

TESTS_TITLE = "How this was tested"
MOST_REASONS = 3  # of failures, under a table


class GridText(NamedTuple):
    """Sentences under a table: legend, findings and tests."""

    legend: list[str]
    findings: list[str]
    tests: list[str]


def missing_table_note(experiment: Experiment) -> str | None:
    """Return a note on the table key for a search of two choices.

    None if the space has a table.
    """
    space = experiment.space
    if space.table or len(space.knobs) != 2 or any(not isinstance(domain, Choice) for _, domain in space.domains):
        return None
    rows, columns = space.knobs
    return f"No table: add `table: {{rows: {rows}, columns: {columns}}}` to the space."


def grid_text(experiment: Experiment, grid: Grid) -> GridText:
    """Return the sentences under a table."""
    knobs = knob_columns(experiment.students)
    rows, columns = wording.short_name(grid.rows, knobs), wording.short_name(grid.columns, knobs)
    effects = sorted(grids.grid_effects(grid), key=lambda effect: (not effect.detected, effect.name == "interaction"))
    findings = [" ".join(effect_finding(effect, rows, columns) for effect in effects)] if effects else []
    return GridText(
        legend=_legend(experiment, grid, rows, columns),
        findings=findings + _baseline_findings(grid),
        tests=_effect_tests(grid, effects, rows, columns) + _tie_tests(grid),
    )


def _legend(experiment: Experiment, grid: Grid, rows: str, columns: str) -> list[str]:
    one_seed = "One seed per cell: no cell can be distinguished from another."
    spread = deviation_note(experiment.students) if grid.n.max() > 1 else one_seed
    best = _best_cell(grid, rows, columns)
    lines = [f"Bold: the cell chosen on validation ({best}). {wording.describe_counts(grid)}. {spread}"]
    if grid.is_tied.any():
        lines.append("`=`: the highest mean, and the cells not detectably below it.")
    lines += _missing_students(grid)
    if grid.is_baseline.any():
        lines.append("The baseline (no teacher) is trained once per seed and shown in all its cells.")
    return lines


def _missing_students(grid: Grid) -> list[str]:
    """Return a line on requested students without a result."""
    if grid.left_out.empty:
        return []
    counts = status_counts_text(Counter(grid.left_out["status"]))
    failed = grid.left_out[grid.left_out["status"].isin(FAILURES)]
    reasons = Counter(filter(None, map(first_line, failed["reason"])))
    shown = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(MOST_REASONS))
    return [f"`k of m`: k of the m students asked for are finished. Not counted: {counts}{f': {shown}' * bool(shown)}."]


def _best_cell(grid: Grid, rows: str, columns: str) -> str:
    if (grid.is_best & grid.is_baseline).any():
        return "the baseline"
    row, column = grids.best_labels(grid)
    return f"{rows} {wording.format_label(row)}, {columns} {wording.format_label(column)}"


def effect_finding(effect: Effect, rows: str, columns: str) -> str:
    """Return one line of the analysis of variance in words."""
    if effect.name == "interaction" and effect.detected:
        return f"{wording.capitalize(rows)} and {columns} interact ({wording.format_p(effect.p)})."
    if effect.name == "interaction":
        return f"No interaction of {rows} and {columns} found."
    knob = rows if effect.name == "rows" else columns
    return (
        f"{wording.capitalize(knob)} matters ({wording.format_p(effect.p)})."
        if effect.detected
        else f"No effect of {knob} found."
    )


def _baseline_findings(grid: Grid) -> list[str]:
    return ["No cell is above the baseline on validation."] if (grid.is_best & grid.is_baseline).any() else []


def _effect_tests(grid: Grid, effects: list[Effect], rows: str, columns: str) -> list[str]:
    if not effects:
        return []
    seeds = "seeds of student and teacher" if grid.students["teacher_seed"].nunique() > 1 else "seeds"
    without = " The baseline is left out: without a teacher the other knob does nothing." * bool(grid.is_baseline.any())
    variance = "pooled error variance" if effects[0].is_pooled else "a variance for each cell (Brunner et al. 1997)"
    method = f"analysis of variance of cells × {seeds} with {variance}, Holm-corrected p, level 5 %"
    names = {"rows": rows, "columns": columns, "interaction": f"interaction of {rows} and {columns}"}
    return [
        f"Effects: {method}.{without}",
        *(f"{wording.capitalize(names[effect.name])}: {effect_numbers(effect)}." for effect in effects),
    ]


def effect_numbers(effect: Effect) -> str:
    """Return `F(2, 10) = 36.12, p < 0.001`."""
    freedoms = ", ".join(f"{round(freedom, 1):g}" for freedom in (effect.freedom, effect.residual_freedom))
    return f"F({freedoms}) = {effect.f:.2f}, {wording.format_p(effect.p)}"


def _tie_tests(grid: Grid) -> list[str]:
    if not grid.is_tied.any():
        return []
    test = "one-sided t with the pooled error variance, Bonferroni-corrected, level 5 %"
    return [f"Cells marked `=`: {test}. The cell chosen on validation need not be among them."]
