"""One stage of a search: its teachers, its students, and those that Ray dropped.

A stage is complete when each of its students has a final row, not when Ray Tune returns. RayLostError means that Ray
died or dropped students; the supervisor process (search/cluster/supervisor.py) then runs the search again.

Decision: "A stage is over when every student has a final row, not when Tune returns" (docs/decisions.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from ray import tune

from results.console import print_plain
from results.students import History, history
from results.wording import format_duration
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.searcher import MAX_REJECTED, StudentSearcher
from search.algorithms.study_parameters import SearchedSpace
from search.cluster.restart_plan import RayLostError
from search.students.candidates import students_per_teacher
from search.students.spec import DONE_STATUSES, Pack, StudentSpec, student_status, teacher_json, unfinished_students
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


def train_listed(context: SearchContext, stage: str, students: Sequence[StudentSpec]) -> None:
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


def train_proposed(
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
            print_stage_line(context, f"{stage}: not searched; the hours were over")
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
            print_stage_line(
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


def print_stage_line(context: SearchContext, line: str) -> None:
    print_plain(context.display.console, line)
