"""The leaderboard with ties and gains over the student alone."""

from __future__ import annotations

import pandas

from results.experiment import Experiment, computed_once
from results.gain import ranked_differences
from results.leaderboard import matching_students
from results.plain_distillation import plain_differences
from results.students import knob_columns
from results.ties import cell_names, tied_cells

MOST_TESTED = 200  # configurations, the best on the test set; the time of the test grows with their cube
GAIN_PARTS = {"": "mean", "_low": "low", "_high": "high"}  # of a difference, by the end of their column


@computed_once
def compared_leaderboard(experiment: Experiment) -> pandas.DataFrame:
    """Return the leaderboard with ties and gains.

    `tied` marks the highest test accuracy and those not detectably below it, among the ranked configurations and the
    baselines of as many students; it is missing for the others and with one seed. `gain`, `gain_low` and `gain_high`
    are fractions, missing without a baseline of the same seeds; `over_plain` and its interval are those over plain
    distillation, missing unless methods were compared with it.
    """
    lines = experiment.leaderboard()
    compared = {"gain": ranked_differences(experiment), "over_plain": plain_differences(experiment)}
    gains = {
        name + end: pandas.Series(
            [getattr(differences.get(place), part, None) for place in lines.index], lines.index, dtype=float
        )
        for name, differences in compared.items()
        for end, part in GAIN_PARTS.items()
    }
    return lines.assign(tied=_tied_lines(experiment, lines), **gains)


def _tied_lines(experiment: Experiment, lines: pandas.DataFrame) -> pandas.Series:
    tied = pandas.Series(pandas.NA, lines.index, dtype="boolean")
    ranked = lines["rank"].notna()
    fewest = lines["n"][ranked].max() if ranked.any() else 0
    if fewest < 2:
        return tied
    is_peer = ranked | ((lines["stage"] == "baseline") & (lines["n"] >= fewest))
    peers, columns = (
        lines[is_peer].nlargest(MOST_TESTED, "test_accuracy"),
        ["stage", *knob_columns(experiment.students)],
    )
    finished = experiment.students[experiment.students["status"] == "finished"]
    groups = {place: matching_students(finished, dict(line)) for place, line in peers[columns].iterrows()}
    if not groups:
        return tied
    students = pandas.concat(groups.values())
    names = cell_names(students, columns[1:])
    if names.nunique() < len(groups):  # without a searched method the baseline has the knobs of its student
        names = cell_names(students, columns)
    first_names = {place: names[group.index[0]] for place, group in groups.items()}
    equal = tied_cells(students, names, "test_accuracy", first_names[peers.index[0]])
    marks = {place: name in equal for place, name in first_names.items()} if equal else {}
    return pandas.Series([marks.get(place, pandas.NA) for place in lines.index], lines.index, dtype="boolean")
