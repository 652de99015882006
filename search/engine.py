"""Stages of a search: teachers, explore, confirm, baselines.

A stage trains the students that have no final row yet. So the same call resumes an interrupted search, and a search is
complete when every student has a final row, not when Ray Tune returns. RayLostError means that Ray died or dropped
students; the supervisor process (search/cluster/supervisor.py) then runs the search again.

Decision: "A stage is over when every student has a final row, not when Tune returns" (docs/decisions.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune

from results.console import print_plain
from results.students import History, histories, history
from results.wording import format_duration
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.ranking import best_configurations, finished_configurations
from search.algorithms.searcher import MAX_REJECTED, StudentSearcher
from search.algorithms.study_parameters import SearchedSpace
from search.baseline_search import BASELINE, baseline_spaces
from search.cluster.restart_plan import RayLostError
from search.students.candidates import proposed_student, students_per_teacher
from search.students.spec import (
    DONE_STATUSES,
    Pack,
    StudentSpec,
    student_status,
    students_for_seeds,
    suggested_histories,
    teacher_json,
    unfinished_students,
)
from search.transfer import recorded_transfer
from search.trials.callback import write_driver_end
from search.trials.grouping import MIN_ROUNDS, group_into_packs, max_pack_size
from search.trials.teachers import obtain_teacher
from search.trials.tuner import SearchContext, run_trials
from spaces.errors import UserError
from spaces.label import label_text
from spaces.space import Space
from spaces.template import Values
from trainables.distillation_data import requested_outputs
from trainables.teachers.key import all_teacher_keys


def run_stages(context: SearchContext, deadline: float) -> None:
    """Run all stages of a space.

    An adaptive search proposes no new student after the deadline (Unix time).
    """
    space = context.space
    if space.search.algorithm == "grid":
        _train_stage(context, "explore", context.grid)
    else:
        _explore_adaptively(context, deadline)
        if not space.confirm:
            _train_baselines(context, "explore", space.seeds, deadline)
    confirm = space.confirm
    if confirm and (winners := _stage_winners(context, "explore", confirm.top, confirm.per)):
        if confirm.top and not confirm.per and not space.search.metrics and len(winners) < confirm.top:
            _print_stage_line(context, f"confirm: {len(winners)} of {confirm.top}; no more students finished explore")
        students = students_for_seeds(space, winners, "confirm", confirm.seeds)
        _train_stage(context, "confirm", [student for student in students if student.stage == "confirm"])
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
        _search_adaptively(context, BASELINE, searched, searched.student, read_proposed, deadline)
        settings += searched.best_values(context.folder, (space.confirm and space.confirm.top) or 1)
    students = students_for_seeds(space, settings, stage, seeds)
    _train_stage(context, "baseline", [student for student in students if student.stage == "baseline"])


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
        _print_stage_line(
            context, f"{stage}: no student trained to its end, so none is confirmed and none has a baseline"
        )
    return winners


def _print_stage_line(context: SearchContext, line: str) -> None:
    print_plain(context.display.console, line)


def _train_stage(context: SearchContext, stage: str, students: Sequence[StudentSpec]) -> None:
    """Train the unfinished students of a list to their end."""
    unfinished = unfinished_students(context.folder, students)
    epochs, resumed = _stage_epochs(context.folder, students)
    _ensure_teachers(context, unfinished)
    workers = context.nodes.worker_count(context.space.resources)
    packs = group_into_packs(context.space, context.data, unfinished, workers)
    context.display.begin_stage(stage, epochs, len(unfinished), resumed, min(workers, len(packs)))
    _run_packs(context, packs)
    _retry_dropped(context, unfinished)


def _run_packs(context: SearchContext, packs: list[Pack], scheduler: PerStudentScheduler | None = None) -> None:
    if packs:
        run_trials(context, tune.TuneConfig(num_samples=1), {"pack": tune.grid_search(packs)}, len(packs), scheduler)


def _retry_dropped(
    context: SearchContext, students: Iterable[StudentSpec], scheduler: PerStudentScheduler | None = None
) -> None:
    """Retry students without a final row, one per trial.

    Ray drops a pack if its worker died too often, perhaps because of one student, and sometimes a trial without any
    message. Raises RayLostError if a student is dropped again.
    """
    _run_packs(context, [Pack((student,)) for student in _without_end(context.folder, students)], scheduler)
    if dropped := len(_without_end(context.folder, students)):
        raise RayLostError(f"Ray dropped {dropped} students twice")


def _without_end(folder: Path, students: Iterable[StudentSpec]) -> list[StudentSpec]:
    return [student for student in students if student_status(history(folder, student.key)) is None]


def _explore_adaptively(context: SearchContext, deadline: float) -> None:
    """Train proposed students; a scheduler stops some early."""
    space, folder = context.space, context.folder

    def student(values: Values) -> StudentSpec | None:
        return proposed_student(space, values, context.data)

    read_proposed = partial(suggested_histories, folder)
    _search_adaptively(context, "explore", space, student, read_proposed, deadline, recorded_transfer(folder))


def _search_adaptively(
    context: SearchContext,
    stage: str,
    searched: SearchedSpace,
    build_student: Callable[[Values], StudentSpec | None],
    read_proposed: Callable[[], list[History]],
    deadline: float,
    transferred: Sequence[History] = (),
) -> None:
    """Train the students proposed in a stage.

    `read_proposed` returns the rows of those of earlier runs and this one. `transferred` are of earlier experiments.
    """
    space, folder, longest = context.space, context.folder, context.space.longest_training
    workers = context.nodes.worker_count(space.resources)
    scheduler = PerStudentScheduler(SCHEDULERS[space.search.scheduler](space.search, longest))
    for student in scheduler.replay(read_proposed()):
        write_driver_end(folder, student, "stopped")
    searcher = StudentSearcher(
        searched,
        read_proposed(),
        read_history=partial(history, folder),
        build_student=build_student,
        deadline=deadline,
        pack=lambda students: group_into_packs(space, context.data, students, workers),
        batch_size=max_pack_size(space, workers),
        max_running=lambda: context.nodes.worker_count(space.resources),
        transferred=transferred,
    )
    samples = searcher.waiting
    if samples > 0:
        began = time.time()
        _ensure_teachers(context, students_per_teacher(space) if stage == "explore" else [])
        teacher_seconds = time.time() - began
        if time.time() >= deadline and not read_proposed():
            if stage == "explore":
                raise _hours_error(space, teacher_seconds)
            _print_stage_line(context, f"{stage}: not searched; the hours were over")
            return
        context.display.begin_stage(stage, samples * longest, samples, 0, min(workers, samples))
        config = tune.TuneConfig(num_samples=samples, search_alg=searcher)
        run_trials(context, config, {}, max(1, samples // MIN_ROUNDS), scheduler)
        _retry_dropped(context, searcher.proposed, scheduler)
        students = len(read_proposed())
        if time.time() >= deadline and not students and stage == "explore":
            raise _hours_error(space, teacher_seconds)
        if searcher.exhausted and not students:
            raise space.error("search.limit", f"none of {MAX_REJECTED} proposals was within it; raise it")
        if searcher.exhausted:
            reason = f"{MAX_REJECTED} proposals in a row were known or above the limit"
            _print_stage_line(
                context, f"{stage}: space exhausted after {students} of {searched.search.trials} trials; {reason}"
            )


def _hours_error(space: Space, teacher_seconds: float) -> UserError:
    spent = f"{format_duration(teacher_seconds)} for the teachers, which are kept; earlier runs count, too"
    message = f"found {label_text(space.search.hours)}: the time was over before a student began ({spent}); raise it"
    return space.error("search.hours", message)


def _ensure_teachers(context: SearchContext, students: Iterable[StudentSpec]) -> None:
    """Train the missing teachers of these students.

    Outputs are computed for the requests of all students of the space.
    """
    space = context.space
    outputs = requested_outputs((space.fill(values, 0) for values in space.probes()), validation=space.trains_on_all)
    for student in students:
        teacher = teacher_json(student.recipe)
        if teacher and teacher not in context.teacher_outputs:
            context.workers.release()  # they hold the processors, and were started without this teacher's outputs
            if context.mirrored_teachers is not None:
                context.mirrored_teachers.update(all_teacher_keys(student.recipe, context.data))
            context.teacher_outputs[teacher] = obtain_teacher(context, student, outputs)


def _stage_epochs(folder: Path, students: Sequence[StudentSpec]) -> tuple[int, int]:
    """Return the number of epochs, planned and already trained."""
    trained = 0
    for student in students:
        past = history(folder, student.key)
        done = student_status(past) in DONE_STATUSES
        trained += student.recipe.train.epochs if done else len(past.epochs) if past else 0
    return sum(student.recipe.train.epochs for student in students), trained
