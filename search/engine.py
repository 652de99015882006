"""Stages of a search: explore, confirm, baselines.

A stage trains the students that have no final row yet. So the same call resumes an interrupted search.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from results.students import histories
from search.algorithms.ranking import best_configurations, finished_configurations
from search.baseline_search import BASELINE, baseline_spaces
from search.stage_training import print_stage_line, train_listed, train_proposed
from search.students.candidates import proposed_student
from search.students.spec import StudentSpec, students_for_seeds, suggested_histories
from search.transfer import recorded_transfer
from search.trials.tuner import SearchContext
from spaces.template import Values


def run_stages(context: SearchContext, deadline: float) -> None:
    """Run all stages of a space.

    An adaptive search proposes no new student after the deadline (Unix time).
    """
    space = context.space
    if space.search.algorithm == "grid":
        train_listed(context, "explore", context.grid)
    else:
        _explore_adaptively(context, deadline)
        if not space.confirm:
            _train_baselines(context, "explore", space.seeds, deadline)
    confirm = space.confirm
    if confirm and (winners := _stage_winners(context, "explore", confirm.top, confirm.per)):
        if confirm.top and not confirm.per and not space.search.metrics and len(winners) < confirm.top:
            print_stage_line(context, f"confirm: {len(winners)} of {confirm.top}; no more students finished explore")
        students = students_for_seeds(space, winners, "confirm", confirm.seeds)
        train_listed(context, "confirm", [student for student in students if student.stage == "confirm"])
        _train_baselines(context, "confirm", confirm.seeds, deadline)


def _train_baselines(context: SearchContext, stage: str, seeds: Sequence[int], deadline: float) -> None:
    """Train the baseline of the best student, or of all compared ones.

    It has the same network, rates and seeds, and no teacher. If the space says so, the training values of each network
    are searched first, and the best of them are trained with these seeds too.
    """
    space = context.space
    all_compared = bool(space.search.metrics or (space.confirm and space.confirm.per))
    winners = _stage_winners(context, stage, None if all_compared else 1)
    settings = list(winners)
    for searched in baseline_spaces(space, winners):
        read_proposed = partial(searched.histories, context.folder)
        train_proposed(context, BASELINE, searched, searched.student, read_proposed, deadline)
        settings += searched.best_values(context.folder, (space.confirm and space.confirm.top) or 1)
    students = students_for_seeds(space, settings, stage, seeds)
    train_listed(context, "baseline", [student for student in students if student.stage == "baseline"])


def _stage_winners(
    context: SearchContext, stage: str, top: int | None, knob: str | None = None
) -> list[dict[str, Any]]:
    """Return the values of a stage's best configurations or of its front.

    Students without validation images are ranked by their configurations in exploration. Prints a line if no student
    is finished.
    """
    space = context.space
    past = [
        student._replace(start=student.start | {"values": space.normalize_labels(student.start["values"])})
        for student in histories(context.folder)
    ]
    if stage == "confirm" and space.trains_on_all:
        ranked = best_configurations(past, "explore", space.search.objectives, None)
        finished = finished_configurations(past, stage)
        best = [configuration for configuration in ranked if configuration.values in finished][:top]
    else:
        best = best_configurations(past, stage, space.search.objectives, top, knob)
    winners = [configuration.values for configuration in best]
    if not winners:
        print_stage_line(
            context, f"{stage}: no student trained to its end, so none is confirmed and none has a baseline"
        )
    return winners


def _explore_adaptively(context: SearchContext, deadline: float) -> None:
    """Train proposed students; a scheduler stops some early."""
    space, folder = context.space, context.folder

    def student(values: Values) -> StudentSpec | None:
        return proposed_student(space, values, context.data)

    read_proposed = partial(suggested_histories, folder)
    train_proposed(context, "explore", space, student, read_proposed, deadline, recorded_transfer(folder))
