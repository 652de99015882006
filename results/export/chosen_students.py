"""Choice of the students to export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas

from results import leaderboard, number_columns
from results.experiment import Experiment
from results.records import Row
from spaces.errors import UserError, closest_match
from spaces.recipe import Recipe
from trainables.baseline import canonical_recipe

BEST, ALONE = "best", "baseline"  # values of --student, beside the key of a student
FRONT = "front"  # the whole front of a space with several objectives


class ChosenStudent(NamedTuple):
    """A student to export, and its place among the others."""

    trial: str
    title: str
    remark: str = ""  # a sentence, if the student alone was better


def choose_students(experiment: Experiment, student: str = BEST, top: int = 1) -> list[ChosenStudent]:
    """Return the students to export.

    These are the `top` best, the best students alone, the front, or one by its key; all are chosen by validation.
    Raises UserError if there is none.
    """
    if student == BEST:
        chosen = list(_best_ranked(experiment, top))
        reason = f"no configuration is ranked yet; the student alone is exported by --student {ALONE}"
    elif student == FRONT:
        chosen = list(_front_members(experiment))
        reason = "no configuration is ranked yet"
    elif student == ALONE:
        chosen = list(_best_alone(experiment, top))
        reason = "no student alone is finished"
    else:
        return [_one_by_key(experiment, student)]
    if not chosen:
        raise UserError(f"{experiment.folder}: nothing to export: {reason}")
    return chosen


def student_recipe(experiment: Experiment, start: Row) -> Recipe:
    """Return the recipe of a student, given its first row.

    The row of a student alone has no values of the method and the teacher; any of the space will do.
    """
    space, values, teacher_seed = experiment.space, start.get("values") or {}, start.get("teacher_seed") or 0
    images = {"train_on": start.get("train_on")}
    if start["stage"] != "baseline":
        return canonical_recipe(space.fill(values, start["seed"], teacher_seed).model_copy(update=images))
    for complete in space.probes():
        recipe = space.fill(complete | values, start["seed"], teacher_seed).baseline().model_copy(update=images)
        if recipe.key() == start["trial"]:
            return recipe
    raise UserError(f"{experiment.folder}: the space does not give the student {start['trial']}; nothing is exported")


def _best_ranked(experiment: Experiment, top: int) -> Iterator[ChosenStudent]:
    trials = leaderboard.best_trials(experiment.students, top, experiment.metric)
    for rank, trial in enumerate(trials, 1):
        remark = _better_alone(experiment, trial, _groups_alone(experiment))
        if remark:
            remark += f" --student {ALONE} exports the student alone."
        if rank > 1:
            title = f"rank {rank} by validation"
        elif remark:
            title = "the best distilled student by validation; the student alone was better"
        else:
            title = "the best student by validation"
        yield ChosenStudent(trial, title, remark)


def _front_members(experiment: Experiment) -> Iterator[ChosenStudent]:
    if len(experiment.objectives) == 1:
        raise UserError(f"{experiment.folder}: searched for {experiment.metric} alone; a front needs search.metrics")
    lines = experiment.leaderboard()
    trials = leaderboard.best_students(experiment.students, lines[lines["front"]], experiment.metric)
    for place, trial in enumerate(trials, 1):
        title = f"member {place} of {len(trials)} of the front of {', '.join(experiment.objectives)}"
        size = experiment.students.set_index("trial")["parameters"][trial]
        alone = [group for group in _groups_alone(experiment) if group["parameters"].iloc[0] == size]
        yield ChosenStudent(trial, title, _better_alone(experiment, trial, alone))


def _best_alone(experiment: Experiment, top: int) -> Iterator[ChosenStudent]:
    for rank, group in enumerate(_groups_alone(experiment)[:top], 1):
        best = leaderboard.first_by_validation(group, experiment.metric)
        place = "the best" if rank == 1 else f"rank {rank}"
        yield ChosenStudent(best, f"the student alone, {place} by validation")


def _groups_alone(experiment: Experiment) -> list[pandas.DataFrame]:
    """Return the finished students alone by configuration, the best first."""
    students = leaderboard.comparable_students(experiment.students)
    baselines = students[(students["stage"] == "baseline") & (students["status"] == "finished")]
    groups = leaderboard.group_configurations(baselines)
    return sorted(groups, key=lambda group: leaderboard.sort_key(group, experiment.metric).mean())


def _one_by_key(experiment: Experiment, key: str) -> ChosenStudent:
    students = experiment.students
    matching = students[students["trial"] == key]
    if matching.empty:
        matching = students[students["trial"].str.startswith(key)]
    if len(matching) != 1:
        count = f"the beginning of {len(matching)} keys" if len(matching) else "no such student"
        match = closest_match(key, [BEST, ALONE, *students["trial"]])
        near = f"; did you mean {match}?" if match else ""
        expected = f"expected {BEST}, {ALONE} or a key from students.csv"
        raise UserError(f"--student {key}: {count}{near}; {expected}")
    row = matching.iloc[0]
    if row["status"] != "finished":
        raise UserError(f"--student {key}: {row['status']}; only a finished student has weights")
    return ChosenStudent(str(row["trial"]), f"student {row['trial']}")


def _better_alone(experiment: Experiment, trial: str, alone: Sequence[pandas.DataFrame]) -> str:
    """Return a sentence if the first of the students alone is better on validation."""
    students, metric = experiment.students, experiment.metric
    row = students[students["trial"] == trial].iloc[0]
    finished = students[students["status"] == "finished"]
    groups = [group for group in leaderboard.group_configurations(finished) if trial in set(group["trial"])]
    best_alone = alone[:1]
    if not best_alone or row["stage"] == "baseline":
        return ""
    keys = [leaderboard.sort_key(group, metric).mean() for group in (*best_alone, *groups)]
    if not keys[0] < keys[1]:
        return ""
    best, own = (number_columns.format_number(metric, group[metric].mean()) for group in (*best_alone, *groups))
    head = number_columns.number_head(metric)
    return f"The student alone is better by validation: {head} {best}, and {own} distilled (means over seeds)."
