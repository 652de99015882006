"""Leaderboard and grid as rows of text cells, the heads first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results import wording
from results.grids import Grid
from results.leaderboard import BEHIND_TEACHER, FAILURES
from results.number_columns import ALL_NUMBERS, DEVIATIONS, GAIN_ENDS, SHORT_NUMBERS, number_head, number_text
from results.students import DIAGNOSIS_PREFIX

MOST_FAILED = 10  # configurations listed beside the best
FRONT_MARK = "◆"


def top_lines(lines: pandas.DataFrame, count: int) -> pandas.DataFrame:
    """Return the first configurations of a leaderboard.

    Baselines and teachers keep their places and do not count. The last MOST_FAILED configurations that failed
    altogether follow.
    """
    references = lines["stage"].isin(["baseline", "teacher", BEHIND_TEACHER])
    failed = (lines["n"] == 0) & lines["left_out"].str.contains("|".join(FAILURES)) & ~references
    shown = [*lines.index[~references][:count], *lines.index[references], *lines.index[failed][:MOST_FAILED]]
    return lines.loc[sorted(set(shown))]


def leaderboard_texts(lines: pandas.DataFrame, numbers: Sequence[str] = SHORT_NUMBERS) -> list[list[str]]:
    """Return lines of a leaderboard with these number columns."""
    diagnoses = [name for name in lines.columns if name.startswith(DIAGNOSIS_PREFIX)]
    not_knobs = {*ALL_NUMBERS, *diagnoses, "rank", "front", "stage", "tied", *DEVIATIONS.values(), *GAIN_ENDS}
    knobs, shown = [name for name in lines.columns if name not in not_knobs], [*numbers, *diagnoses]
    names, front = [wording.short_name(name, knobs) for name in knobs], ["front"] * ("front" in lines)
    heads = ["rank", *front, "stage", *names, *map(number_head, shown)]
    return [heads, *(_line_texts(line, knobs, shown) for _, line in lines.iterrows())]


def _line_texts(line: pandas.Series, knobs: list[str], numbers: Sequence[str]) -> list[str]:
    rank = "–" if pandas.isna(line["rank"]) else str(line["rank"])
    labels = [wording.format_label(line[name]) for name in knobs]
    front = [FRONT_MARK * line["front"]] if "front" in line else []
    return [rank, *front, line["stage"], *labels, *(number_text(line, name) for name in numbers)]


def grid_texts(grid: Grid, rows: str, columns: str) -> list[list[str]]:
    """Return the cells of a table with their labels."""
    cells = zip(grid.row_labels, wording.format_cells(grid), strict=True)
    heads = [f"{rows} \\ {columns}", *map(wording.format_label, grid.column_labels)]
    return [heads, *([wording.format_label(label), *texts] for label, texts in cells)]
