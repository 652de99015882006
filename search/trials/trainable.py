"""Ray trainable: train the pack of one trial.

Each epoch is first written to the rows of its student (student_rows.py), then reported with `tune.report`. In the
driver Ray asks the scheduler first (search/algorithms/per_student.py), then the callback (callback.py), which writes
the final row of each stopped student. All of that happens before `tune.report` returns. So after each report the worker
reads the rows, and drops the students that were stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ray import tune

from results import paths
from results.students import history
from search.students.spec import Pack, StudentSpec, teacher_json
from search.trials.student_rows import (
    error_line,
    has_ended,
    is_stopped,
    resume_state,
    write_epoch,
    write_final_row,
    write_first_row,
)
from trainables import plugin
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.fit import Diverged, TrainingState, fit
from trainables.packs.fit_pack import PackResults, fit_pack


def train_trial(
    config: Mapping[str, Any],
    *,
    data: Dataset,
    teacher_outputs: Mapping[str, tuple[str, TeacherOutputs]],
    plugins: plugin.PluginFiles,
    folder: Path,
    threads: int,
) -> None:
    """Train the pack in `config`, stacked or in turn.

    An error in one student becomes its final row, and the others continue.
    """
    plugin.register_plugins(plugins)
    torch.set_num_threads(threads)
    pack: Pack = config["pack"]
    teacher = teacher_json(pack.students[0].recipe)
    teacher_name, outputs = teacher_outputs[teacher] if teacher else (None, None)
    distillation_data = DistillationData(data, outputs)
    unfinished = [student for student in pack.students if not _report_if_ended(student, folder)]
    for group in [unfinished] if pack.stacked else [[student] for student in unfinished]:
        built = [student for student in group if write_first_row(student, teacher_name, distillation_data, folder)]
        _train_group(built, distillation_data, folder)


def _report_if_ended(student: StudentSpec, folder: Path) -> bool:
    """Return True for a student with a final row.

    Its last epoch is reported again: its worker may have died before it reported that epoch or removed the checkpoint.
    """
    past = history(folder, student.key)
    if past is None or not has_ended(student, past):
        return False
    paths.checkpoint_file(folder, student.key).unlink(missing_ok=True)
    if past.epochs:
        tune.report({"rows": [{"trial": student.key, **past.epochs[-1]}]})
    return True


def _train_group(students: Sequence[StudentSpec], distillation_data: DistillationData, folder: Path) -> None:
    """Train students from their checkpoints; those after the same epoch are stacked."""
    groups: dict[int, list[tuple[StudentSpec, TrainingState | None]]] = defaultdict(list)
    for student in students:
        start = resume_state(student, folder)
        groups[start.epoch if start else 0].append((student, start))
    for group in groups.values():
        if len(group) == 1:
            _train_single(group[0][0], distillation_data, folder)
        else:
            _train_stacked(*zip(*group, strict=True), distillation_data=distillation_data, folder=folder)


def _train_single(student: StudentSpec, distillation_data: DistillationData, folder: Path) -> None:
    try:
        for epoch in fit(student.recipe, distillation_data, start=resume_state(student, folder)):
            row = write_epoch(student, distillation_data, folder, epoch)
            tune.report({"rows": [row]})  # Ray may end the thread here
            if is_stopped(student, folder):
                return
    except Diverged as error:
        write_final_row(folder, student.key, "diverged", {"reason": str(error)})
    except Exception as error:  # a bug in a method, no memory, a full disk
        write_final_row(folder, student.key, "failed", {"reason": error_line(error)})


def _train_stacked(
    students: Sequence[StudentSpec],
    starts: Sequence[TrainingState | None],
    *,
    distillation_data: DistillationData,
    folder: Path,
) -> None:
    """Train students stacked; after an error in smaller packs.

    Two halves if memory does not suffice; otherwise one by one, so that the error occurs only in its own student.
    """
    recipes, states = [student.recipe for student in students], [start for start in starts if start is not None]
    try:
        results = fit_pack(
            recipes, distillation_data, starts=states, is_stopped=lambda index: is_stopped(students[index], folder)
        )
        for epoch_results in results:
            _report_epoch(students, epoch_results, distillation_data, folder)
        return
    except torch.OutOfMemoryError:
        parts, message = 2, "memory does not suffice for all; now in halves"
    except Exception as error:
        parts, message = len(students), f"{error_line(error)}; now each is trained alone"
    tune.report({"rows": [], "message": message})
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    unfinished = [student for student in students if not has_ended(student, history(folder, student.key))]
    size = -(-len(unfinished) // parts)
    for i in range(0, len(unfinished), max(1, size)):
        _train_group(unfinished[i : i + size], distillation_data, folder)


def _report_epoch(
    students: Sequence[StudentSpec], results: PackResults, distillation_data: DistillationData, folder: Path
) -> None:
    """Write the rows of a pack's epoch, then report them together."""
    rows = []
    for index, result in results.items():
        student = students[index]
        if isinstance(result, Diverged):
            write_final_row(folder, student.key, "diverged", {"reason": str(result)})
        else:
            rows.append(write_epoch(student, distillation_data, folder, result))
    tune.report({"rows": rows})
