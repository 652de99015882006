"""The leaderboard as a sortable, filterable table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, number_columns, wording
from results.leaderboard import BEHIND_TEACHER, FAILURES
from results.number_columns import MAIN_METRICS
from results.records import Row
from results.students import diagnosis_columns, knob_columns, table_rows
from results.text_tables import leaderboard_texts
from results.thinning import thin

MAX_ROWS = 500  # configurations; all failed ones are listed
MOST_OPTIONS = 12  # values of a knob offered in a list; with more, the filter is a range


class Cell(NamedTuple):
    """Text of a cell and its sort key; None sorts last."""

    text: str
    value: float | str | None


class LeaderboardRow(NamedTuple):
    """One configuration and the statuses of its students."""

    stage: str
    statuses: list[str]
    cells: list[Cell]


class KnobFilter(NamedTuple):
    """A knob, its column, and its values if few."""

    knob: str
    column: int
    values: list[str]


class LeaderboardTable(NamedTuple):
    """The leaderboard; heads are pairs (text, higher is better).

    `optional_columns`, counted from 1, are left out on paper. `note` says if only a selection is listed.
    """

    heads: list[tuple[str, bool]]
    rows: list[LeaderboardRow]
    note: str
    stages: list[str]
    statuses: list[str]
    filters: list[KnobFilter]
    optional_columns: list[int]


def leaderboard_table(
    lines: pandas.DataFrame, students: pandas.DataFrame, numbers: Sequence[str] = number_columns.SHORT_NUMBERS
) -> LeaderboardTable:
    """Return the leaderboard with texts and sort keys."""
    knobs, statuses = knob_columns(students), lines["left_out"].fillna("")
    places = pandas.Series(range(len(lines)), lines.index)
    always = statuses.str.contains("|".join(FAILURES)) | lines["stage"].isin(["baseline", "teacher", BEHIND_TEACHER])
    shown, note = thin(lines, places, MAX_ROWS, always)
    heads, *texts = leaderboard_texts(shown, numbers)
    columns = ["rank", *["front"] * ("front" in lines), "stage", *knobs, *numbers, *diagnosis_columns(students)]
    first = [name for name in (*MAIN_METRICS, "n") if name in numbers]  # scores before knobs
    order = [columns.index(name) for name in dict.fromkeys(["rank", "stage", *first, *columns])]
    columns, heads = [columns[place] for place in order], [heads[place] for place in order]
    rows = [
        LeaderboardRow(
            line["stage"],
            student_statuses(line),
            [Cell(row[place], _sort_value(line[name])) for place, name in zip(order, columns, strict=True)],
        )
        for row, line in zip(texts, table_rows(shown), strict=True)
    ]
    return LeaderboardTable(
        heads=[(head, name in number_columns.HIGHER_IS_BETTER) for head, name in zip(heads, columns, strict=True)],
        rows=rows,
        note=note,
        stages=list(dict.fromkeys(row.stage for row in rows)),
        statuses=list(dict.fromkeys(status for row in rows for status in row.statuses)),
        filters=[_knob_filter(knob, columns.index(knob), shown, knobs) for knob in knobs],
        optional_columns=[place for place, name in enumerate(columns, 1) if name in number_columns.OPTIONAL_NUMBERS],
    )


def student_statuses(line: Row) -> list[str]:
    """Return the final statuses of a configuration's students."""
    unfinished = [part.split()[-1] for part in (line["left_out"] or "").split(", ") if part]  # "2 stopped, 1 failed"
    return ["finished"] * bool(line["n"] > 0) + unfinished


def _knob_filter(knob: str, column: int, lines: pandas.DataFrame, knobs: list[str]) -> KnobFilter:
    values = [wording.format_label(value) for value in grids.sorted_labels(lines[knob])]
    return KnobFilter(wording.short_name(knob, knobs), column, values if len(values) <= MOST_OPTIONS else [])


def _sort_value(value: Any) -> float | str | None:
    if pandas.isna(value):
        return None
    return str(value) if isinstance(value, str | bool) else float(value)
