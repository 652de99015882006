"""The leaderboard as a table that can be sorted and filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, leaderboard, markdown, wording
from results.students import diagnoses, knobs

MORE = {"val_accuracy", "test_accuracy", *leaderboard.UNEVEN, "agreement", "n"}  # is better
FEW = 12  # values of a knob to pick from; of one with more, a range is asked for


class Cell(NamedTuple):
    """What is shown and what it is sorted by (None: nothing, always last)."""

    text: str
    value: float | str | None


class Line(NamedTuple):
    """One configuration; `statuses` are those of its students."""

    stage: str
    statuses: list[str]
    cells: list[Cell]


class Filter(NamedTuple):
    """A knob to filter by: its column in the table, and its values where they are few."""

    knob: str
    column: int
    values: list[str]


class Board(NamedTuple):
    """The leaderboard: heads with whether more is better, one line per configuration, and what can be filtered by."""

    heads: list[tuple[str, bool]]
    lines: list[Line]
    stages: list[str]
    statuses: list[str]
    filters: list[Filter]


def board(lines: pandas.DataFrame, students: pandas.DataFrame, numbers: Sequence[str] = markdown.PLAIN) -> Board:
    """The lines of results.tables.leaderboard as text and as what to sort by."""
    names, (heads, *texts) = knobs(students), markdown.board(lines, numbers)
    columns = ["rank", "stage", *names, *numbers, *diagnoses(students)]
    found = [
        Line(
            line["stage"],
            statuses(line),
            [Cell(text, _value(line[name])) for text, name in zip(row, columns, strict=True)],
        )
        for row, (_, line) in zip(texts, lines.iterrows(), strict=True)
    ]
    return Board(
        heads=[(head, name in MORE) for head, name in zip(heads, columns, strict=True)],
        lines=found,
        stages=list(dict.fromkeys(line.stage for line in found)),
        statuses=list(dict.fromkeys(status for line in found for status in line.statuses)),
        filters=[_filter(name, columns.index(name), lines, names) for name in names],
    )


def statuses(line: pandas.Series) -> list[str]:
    """How the students of a line of the leaderboard ended: `left_out` counts all but the finished ones."""
    others = [part.split()[-1] for part in (line["left_out"] or "").split(", ") if part]
    return ["finished"] * bool(line["n"] > 0) + others


def _filter(name: str, column: int, lines: pandas.DataFrame, names: list[str]) -> Filter:
    values = [wording.label(value) for value in grids.labels(lines[name])]
    return Filter(wording.short(name, names), column, values if len(values) <= FEW else [])


def _value(value: Any) -> float | str | None:
    if pandas.isna(value):
        return None
    return str(value) if isinstance(value, str | bool) else float(value)
