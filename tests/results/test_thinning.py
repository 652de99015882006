from __future__ import annotations

import pandas

from results.thinning import thin


def test_the_best_the_marked_and_a_selection_of_the_rest_are_shown():
    rows = pandas.DataFrame({"score": [float(index) for index in range(1000)]}).sample(frac=1, random_state=0)
    rows.loc[7, "score"] = float("nan")  # a student without an epoch is last
    marked = rows.index == 900
    thinned = thin(rows, rows["score"], 20, pandas.Series(marked, rows.index))
    scores = sorted(thinned.shown["score"].dropna())
    assert scores[:11] == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11] and 900 in scores
    assert len(thinned.shown) == 21 and thinned.shown["score"].isna().sum() == 1
    assert thinned.shown.index.tolist() == [index for index in rows.index if index in thinned.shown.index]
    assert thinned.note == "21 of 1,000 are shown: the best 10, and a selection of the rest."


def test_few_rows_are_all_shown():
    rows = pandas.DataFrame({"score": [1.0, 2.0]})
    assert thin(rows, rows["score"], 2).shown is rows and thin(rows, rows["score"], 2).note == ""
