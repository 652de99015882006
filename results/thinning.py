"""Selection of rows for pages of limited size."""

from __future__ import annotations

from typing import NamedTuple

import numpy
import pandas


class Thinned(NamedTuple):
    """Rows to show, and a note on the rest.

    The rows are in their order. The note is empty if all are shown.
    """

    shown: pandas.DataFrame
    note: str


def thin(rows: pandas.DataFrame, score: pandas.Series, most: int, always: pandas.Series | None = None) -> Thinned:
    """Select `most` rows beside those marked by `always`.

    Half of them are the best: those of the lowest score. The others are at even distances in the order of the score.
    """
    marked = rows.index[always[rows.index]] if always is not None else rows.index[:0]
    if len(rows) - len(marked) <= most:
        return Thinned(rows, "")
    order = score[rows.index].drop(marked).sort_values(kind="stable").index
    best, rest = order[: most // 2], order[most // 2 :]
    places = numpy.linspace(0, len(rest) - 1, min(len(rest), most - len(best))).round().astype(int)
    shown = rows[rows.index.isin([*marked, *best, *rest[places]])]
    return Thinned(
        shown, f"{len(shown):,} of {len(rows):,} are shown: the best {len(best)}, and a selection of the rest."
    )
