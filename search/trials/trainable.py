"""Ray trainable: train the pack of one trial.

Each epoch is first written to the store of the students (search/students/store.py), then reported with `tune.report`.
In the driver Ray asks the scheduler first (search/algorithms/per_student.py), then the callback (callback.py), which
writes the final row of each stopped student. All of that happens before `tune.report` returns. So after each report the
worker reads the rows of the proposed students, and drops those that were stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import torch
from ray import tune

from results.records import Row
from search.cluster.worker_setup import UnfitWorkerError, WorkerSetup, set_up_worker
from search.students.spec import Pack, StudentSpec, teacher_json
from search.students.store import StudentChange, StudentStore
from search.trials.student_rows import (
    epoch_change,
    error_line,
    final_change,
    first_change,
    has_ended,
    resume_states,
    stopped_students,
)
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.fit import Diverged, TrainingState, fit
from trainables.packs.fit_pack import PackResults, fit_pack

MAX_WRITE_BYTES = 2**26  # of the checkpoints in one write


def train_trial(
    config: Mapping[str, Any],
    *,
    data: Dataset,
    teacher_outputs: Mapping[str, tuple[str, TeacherOutputs]],
    setup: WorkerSetup,
    store: StudentStore,
    threads: int,
) -> None:
    """Train the pack in `config`, stacked or in turn.

    An error in one student becomes its final row, and the others continue.
    """
    _set_up(setup)
    torch.set_num_threads(threads)
    pack: Pack = config["pack"]
    teacher = teacher_json(pack.students[0].recipe)
    teacher_name, outputs = teacher_outputs[teacher] if teacher else (None, None)
    distillation_data = DistillationData(data, outputs)
    unfinished = _report_ended(pack.students, store)
    for group in [unfinished] if pack.stacked else [[student] for student in unfinished]:
        first = [first_change(student, teacher_name, distillation_data) for student in group]
        store.write([change for _, change in first])
        built = [student for student, (can_train, _) in zip(group, first, strict=True) if can_train]
        _train_group(built, distillation_data, store)


def _set_up(setup: WorkerSetup) -> None:
    """Set up this process; report an unfit one for its node's exclusion."""
    try:
        set_up_worker(setup)
    except UnfitWorkerError as error:
        tune.report({"rows": [], "unfit": {"node": ray.get_runtime_context().get_node_id(), "reason": str(error)}})
        raise


def _report_ended(students: Sequence[StudentSpec], store: StudentStore) -> list[StudentSpec]:
    """Report the last epochs of ended students; return the others.

    A worker may have died before it reported that epoch or removed the checkpoint.
    """
    unfinished = []
    for student, past in zip(students, store.histories([student.key for student in students]), strict=True):
        if past is None or not has_ended(student, past):
            unfinished.append(student)
            continue
        store.write([StudentChange(student.key, [], drop_checkpoint=True)])
        if past.epochs:
            tune.report({"rows": [{"trial": student.key, **past.epochs[-1]}]})
    return unfinished


def _train_group(students: Sequence[StudentSpec], distillation_data: DistillationData, store: StudentStore) -> None:
    """Train students from their checkpoints; those after the same epoch are stacked."""
    groups: dict[int, list[tuple[StudentSpec, TrainingState | None]]] = defaultdict(list)
    for student, start in zip(students, resume_states(students, store), strict=True):
        groups[start.epoch if start else 0].append((student, start))
    for group in groups.values():
        if len(group) == 1:
            _train_single(*group[0], distillation_data=distillation_data, store=store)
        else:
            _train_stacked(*zip(*group, strict=True), distillation_data=distillation_data, store=store)


def _train_single(
    student: StudentSpec, start: TrainingState | None, *, distillation_data: DistillationData, store: StudentStore
) -> None:
    try:
        for epoch in fit(student.recipe, distillation_data, start=start):
            row, change = epoch_change(student, distillation_data, epoch)
            store.write([change])
            tune.report({"rows": [{"trial": student.key, **row}]})  # Ray may end the thread here
            if stopped_students([student], store):
                return
    except Diverged as error:
        store.write([final_change(student.key, "diverged", {"reason": str(error)})])
    except Exception as error:  # a bug in a method, no memory, a full disk
        store.write([final_change(student.key, "failed", {"reason": error_line(error)})])


def _train_stacked(
    students: Sequence[StudentSpec],
    starts: Sequence[TrainingState | None],
    *,
    distillation_data: DistillationData,
    store: StudentStore,
) -> None:
    """Train students stacked; after an error in smaller packs.

    Two halves if memory does not suffice; otherwise one by one, so that the error occurs only in its own student.
    """
    recipes, states = [student.recipe for student in students], [start for start in starts if start is not None]
    stopped: set[str] = set()
    try:
        results = fit_pack(
            recipes, distillation_data, starts=states, is_stopped=lambda index: students[index].key in stopped
        )
        for epoch_results in results:
            _report_epoch(students, epoch_results, distillation_data, store)
            stopped |= stopped_students(students, store)
        return
    except torch.OutOfMemoryError:
        parts, message = 2, "memory does not suffice for all; now in halves"
    except Exception as error:
        parts, message = len(students), f"{error_line(error)}; now each is trained alone"
    tune.report({"rows": [], "message": message})
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    pasts = store.histories([student.key for student in students])
    unfinished = [student for student, past in zip(students, pasts, strict=True) if not has_ended(student, past)]
    size = -(-len(unfinished) // parts)
    for i in range(0, len(unfinished), max(1, size)):
        _train_group(unfinished[i : i + size], distillation_data, store)


def _report_epoch(
    students: Sequence[StudentSpec], results: PackResults, distillation_data: DistillationData, store: StudentStore
) -> None:
    """Write the rows of a pack's epoch, then report them together."""
    rows: list[Row] = []
    changes: list[StudentChange] = []
    size = 0
    for index, result in results.items():
        student = students[index]
        if isinstance(result, Diverged):
            changes.append(final_change(student.key, "diverged", {"reason": str(result)}))
        else:
            row, change = epoch_change(student, distillation_data, result)
            rows.append({"trial": student.key, **row})
            changes.append(change)
            size += len(change.checkpoint or change.weights or b"")
        if size > MAX_WRITE_BYTES:
            store.write(changes)
            changes, size = [], 0
    store.write(changes)
    tune.report({"rows": rows})
