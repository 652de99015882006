"""Interactions of any two searched knobs, in grids and adaptive searches.

The model is score = seeds + main effects of all knobs + one pair's interaction. A number enters by its rank, linear and
squared, a choice by its labels. Students stopped early were chosen by their results, so a search that stopped some is
tested on the scores after the last epoch that all reached.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy
import pandas
from scipy import special

from results import wording
from results.experiment import Experiment, computed_once
from results.grids import grid_effects
from results.stats import LEVEL, holm, indicators, orthonormal_basis
from results.students import knob_columns
from results.ties import seed_blocks
from spaces.metrics import VAL_FIELDS

FEWEST_FREEDOM = 8  # residual degrees of freedom
MOST_LABELS = 6  # of a choice of numbers; with more it enters by rank
MOST_STUDENTS = 2000  # tested, the first ones
Array = numpy.ndarray


class Interaction(NamedTuple):
    """Test of one pair of knobs; `p` is Holm-corrected over all pairs."""

    knobs: tuple[str, str]
    f: float
    freedom: int
    residual_freedom: int
    p: float


@computed_once
def knob_interactions(experiment: Experiment) -> list[Interaction]:
    """Return the tested pairs of knobs, the most certain first.

    The pair of the table is left out, as the table has its own test. Empty with too few students or knobs.
    """
    students, scores = _scored_students(experiment)
    knobs = varied_knobs(students)
    if len(knobs) < 2 or len(set(scores)) < 2:
        return []
    columns = {name: _knob_design(students[name]) for name in knobs}
    main = orthonormal_basis(indicators(seed_blocks(students)), *columns.values())
    table = experiment.space.table
    shown = {table.rows, table.columns} if table else set()
    pairs = [pair for pair in itertools.combinations(knobs, 2) if set(pair) != shown]
    tests = [test for pair in pairs if (test := _test_pair(scores, main, pair, columns))]
    p_values = holm([test.p for test in tests])
    return sorted((test._replace(p=p) for test, p in zip(tests, p_values, strict=True)), key=lambda test: test.p)


def varied_knobs(students: pandas.DataFrame) -> list[str]:
    """Return the knobs of all students with several values."""
    return [name for name in knob_columns(students) if students[name].notna().all() and students[name].nunique() > 1]


def _scored_students(experiment: Experiment) -> tuple[pandas.DataFrame, Array]:
    """Return the explored students with their comparable scores."""
    students, metric, epochs = experiment.students, experiment.metric, experiment.epochs
    explored = students[(students["stage"] == "explore") & students["status"].isin(["finished", "stopped"])]
    if (explored["status"] == "stopped").any():
        common = epochs[epochs["epoch"] == explored["epochs"].min()].set_index("trial")[metric]
        scores = explored["trial"].map(common)
    else:
        explored = explored[explored["epochs"] == explored["epochs"].max()]
        scores = explored[metric]
    explored = explored[scores.notna()].head(MOST_STUDENTS)
    return explored, scores[explored.index].to_numpy(float)


def _knob_design(values: pandas.Series) -> Array:
    """Return a knob as centered columns [students, columns]."""
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if is_number and values.nunique() > MOST_LABELS:
        ranks = values.astype(float).rank().to_numpy() / len(values) - 0.5
        design = numpy.stack([ranks, ranks**2], axis=1)
    else:
        design = indicators(list(values))
    return design - design.mean(0)


def _test_pair(scores: Array, main: Array, pair: tuple[str, str], columns: dict[str, Array]) -> Interaction | None:
    return _f_test(scores, main, orthonormal_basis(main, _products(*(columns[name] for name in pair))), pair)


def _products(first: Array, second: Array) -> Array:
    """Return all products of two knobs' columns."""
    return numpy.einsum("si,sj->sij", first, second).reshape(len(first), -1)


def _f_test(scores: Array, main: Array, full: Array, pair: tuple[str, str]) -> Interaction | None:
    """Compare two nested models, given by bases; None with too few students."""
    freedom, left = full.shape[1] - main.shape[1], len(scores) - full.shape[1]
    if freedom < 1 or left < FEWEST_FREEDOM:
        return None
    residual = float(((scores - full @ (full.T @ scores)) ** 2).sum()) / left
    explained = float(((full.T @ scores) ** 2).sum() - ((main.T @ scores) ** 2).sum()) / freedom
    f = explained / residual if residual > 1e-20 else 0.0
    return Interaction(pair, f, freedom, left, float(special.fdtrc(freedom, left, max(f, 0.0))))


def interaction_findings(experiment: Experiment) -> list[str]:
    """Return the interactions in words, empty without a test."""
    tests = knob_interactions(experiment)
    if not tests:
        return []
    students, _ = _scored_students(experiment)
    detected = [test for test in tests if test.p < LEVEL]
    names = {knob: wording.short_name(knob, experiment.space.knobs) for test in tests for knob in test.knobs}
    lines = [
        f"{wording.capitalize(names[test.knobs[0]])} and {names[test.knobs[1]]} interact "
        f"({wording.format_p(test.p)}): the best value of one depends on the other."
        for test in detected
    ]
    others = len(tests) - len(detected)
    if others:
        pairs = "pair" if others == 1 else "pairs"
        lines.append(f"No interaction found in {others} {'other ' * bool(detected)}{pairs} of knobs.")
    head = VAL_FIELDS[experiment.metric].head
    stopped = (students["status"] == "stopped").any()
    after = f" after epoch {int(students['epochs'].min())}, which all reached" * bool(stopped)
    return [" ".join([*lines, f"Tested on {head.removesuffix(' %')}{after}, n = {len(students)} students."])]


def interaction_tests(experiment: Experiment) -> list[str]:
    """Return the statistics of the interactions."""
    tests = knob_interactions(experiment)
    if not tests:
        return []
    numbers = "; ".join(
        f"{' × '.join(wording.short_name(knob, experiment.space.knobs) for knob in test.knobs)}: "
        f"F({test.freedom}, {test.residual_freedom}) = {test.f:.2f}, {wording.format_p(test.p)}"
        for test in tests
    )
    method = "F test of a pair's products beside the main effects of all knobs and the seeds, Holm-corrected p"
    return [f"Interactions of knobs: {method}: {numbers}."]


def knobs_without_effect(experiment: Experiment) -> list[str]:
    """Return the searched knobs without any detected effect.

    Neither a main effect nor an interaction is detected. The knobs of the table have its own test. A knob that could
    not be tested is left out.
    """
    students, scores = _scored_students(experiment)
    pairs = [test.knobs for test in knob_interactions(experiment) if test.p < LEVEL]
    interacting = {knob for pair in pairs for knob in pair}
    undetected = _table_knobs_without_effect(experiment)
    tested = [name for name in varied_knobs(students) if name not in {*undetected, *interacting}]
    tests = _main_effects(students, scores, tested, pairs)
    undetected |= {test.knobs[0]: test.p >= LEVEL for test in tests}
    return [name for name, is_undetected in undetected.items() if is_undetected and name not in interacting]


def _main_effects(
    students: pandas.DataFrame, scores: Array, tested: list[str], pairs: list[tuple[str, str]]
) -> list[Interaction]:
    """Test knobs beside all others and the interactions found."""
    if len(set(scores)) < 2:
        return []
    columns = {name: _knob_design(students[name]) for name in varied_knobs(students)}
    beside = [indicators(seed_blocks(students)), *(_products(*(columns[name] for name in pair)) for pair in pairs)]
    tests: list[Interaction] = []
    for name in tested:
        rest = orthonormal_basis(*beside, *(column for knob, column in columns.items() if knob != name))
        tests += filter(None, [_f_test(scores, rest, orthonormal_basis(rest, columns[name]), (name, name))])
    return [test._replace(p=p) for test, p in zip(tests, holm([test.p for test in tests]), strict=True)]


def _table_knobs_without_effect(experiment: Experiment) -> dict[str, bool]:
    """Return True for each knob of the table without a detected effect."""
    grid = experiment.grid()
    effects = {effect.name: effect.detected for effect in grid_effects(grid)} if grid is not None else {}
    if grid is None or not effects:
        return {}
    interacts = effects.get("interaction", False)
    return {
        name: not (effects[side] or interacts)
        for name, side in ((grid.rows, "rows"), (grid.columns, "columns"))
        if side in effects
    }
