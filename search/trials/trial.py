"""The students of a Ray trial: the adapter between the training loop and Ray."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ray import tune

from results import records
from results.students import History, history
from search.repair import holds
from search.students.spec import DONE, Pack, StudentSpec, opening, status, teacher_of
from trainables import checkpoint, plugin
from trainables.cost import cost, latency
from trainables.data import Dataset
from trainables.device import device, tensor
from trainables.diagnose import diagnose
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.evaluate import agreement, respond, score
from trainables.fit import Diverged, Epoch, State, fit
from trainables.models import build
from trainables.packs import fit_pack
from trainables.weights import tensor_file
from trainables.weights.initial import begin


def trial(
    config: Mapping[str, Any],
    *,
    data: Dataset,
    lessons: Mapping[str, tuple[str, TeacherOutputs]],
    plugins: dict[str, str],
    folder: Path,
    threads: int,
) -> None:
    """Train the pack in `config`, as one or in turn: a row and a checkpoint per student and epoch, each told to Ray.

    Whatever goes wrong with a student ends in its rows, so the others go on.
    """
    plugin.register(plugins)
    torch.set_num_threads(threads)
    pack: Pack = config["pack"]
    taught = teacher_of(pack.students[0].recipe)
    name, answers = lessons[taught] if taught else (None, None)
    lesson = DistillationData(data, answers)
    left = [each for each in pack.students if not _over(each, folder)]
    for students in [left] if pack.as_one else [[each] for each in left]:
        _train([each for each in students if _opened(each, name, lesson, folder)], lesson, folder)


def _over(student: StudentSpec, folder: Path) -> bool:
    """Whether a student ended before its worker died, and Ray was perhaps not told; then it is told now."""
    past = history(folder, student.key)
    if past is None or not _ended(student, past):
        return False
    records.checkpoint_file(folder, student.key).unlink(missing_ok=True)  # its worker perhaps never came to that
    if past.epochs:
        tune.report({"rows": [{"trial": student.key, **past.epochs[-1]}]})
    return True


def _ended(student: StudentSpec, past: History | None) -> bool:
    """Whether a student has its end: one that failed is tried again, and nobody but a proposal is stopped early."""
    return status(past) in DONE or (status(past) == "stopped" and student.suggested is not None)


def _stopped(student: StudentSpec, folder: Path) -> bool:
    """Whether the driver has ended a proposal: when a report returns it has decided.

    Ray itself only ends a trial all of whose students are stopped.
    """
    return student.suggested is not None and _ended(student, history(folder, student.key))


def _train(students: Sequence[StudentSpec], lesson: DistillationData, folder: Path) -> None:
    """Train students, each from its last checkpoint: as one those that are after the same epoch."""
    after: dict[int, list[tuple[StudentSpec, State | None]]] = defaultdict(list)
    for student in students:
        start = _start(student, folder)
        after[start.epoch if start else 0].append((student, start))
    for group in after.values():
        if len(group) == 1:
            _train_alone(group[0][0], lesson, folder)
        else:
            _train_pack(*zip(*group, strict=True), lesson=lesson, folder=folder)


def _train_alone(student: StudentSpec, lesson: DistillationData, folder: Path) -> None:
    try:
        for epoch in fit(student.recipe, lesson, start=_start(student, folder)):
            row = _record(student, lesson, folder, epoch)
            tune.report({"rows": [row]})  # Ray may end the thread here
            if _stopped(student, folder):
                return
    except Diverged as reason:
        _close(folder, student.key, "diverged", {"reason": str(reason)})
    except Exception as error:  # a bug in a method, no memory, a full disk: this student's, not the search's
        _close(folder, student.key, "failed", {"reason": _one_line(error)})


def _train_pack(
    students: Sequence[StudentSpec], starts: Sequence[State | None], *, lesson: DistillationData, folder: Path
) -> None:
    """Train students as one; where memory does not suffice in halves, and where something else goes wrong alone."""
    recipes, states = [each.recipe for each in students], [each for each in starts if each is not None]
    try:
        for told in fit_pack.fit(recipes, lesson, starts=states, over=lambda place: _stopped(students[place], folder)):
            _report(students, told, lesson, folder)
        return
    except torch.OutOfMemoryError:
        parts, reason = 2, "memory does not suffice for all; now in halves"
    except Exception as error:  # whose it is shows when each is on its own
        parts, reason = len(students), f"{_one_line(error)}; now each is trained alone"
    tune.report({"rows": [], "said": reason})
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    left = [each for each in students if not _ended(each, history(folder, each.key))]
    size = -(-len(left) // parts)
    for i in range(0, len(left), max(1, size)):
        _train(left[i : i + size], lesson, folder)


def _report(students: Sequence[StudentSpec], told: fit_pack.Told, lesson: DistillationData, folder: Path) -> None:
    """Write what became of each student in an epoch, and report all rows at once."""
    rows = []
    for place, epoch in told.items():
        student = students[place]
        if isinstance(epoch, Diverged):
            _close(folder, student.key, "diverged", {"reason": str(epoch)})
        else:
            rows.append(_record(student, lesson, folder, epoch))
    tune.report({"rows": rows})


def _record(student: StudentSpec, lesson: DistillationData, folder: Path, epoch: Epoch) -> dict[str, Any]:
    """Write an epoch to disk, and the end with the last of them; return its row with its name, to be reported.

    A row is written before its checkpoint: whoever dies between them trains that epoch again, and no row is missing.
    """
    path, epochs = records.checkpoint_file(folder, student.key), student.recipe.train.epochs
    row = {"kind": "epoch", **epoch._asdict(), "time": time.time()}
    del row["state"]
    records.append(folder, student.key, row)
    if epoch.epoch < epochs:  # whoever dies while it is scored trains its last epoch again, not all of them
        checkpoint.save(path, epoch.state)
    else:
        _finish(student, lesson, folder, epoch)
    return {"trial": student.key, **row}


def _start(student: StudentSpec, folder: Path) -> State | None:
    """Where to go on from: a checkpoint all of whose epochs have their rows, one epoch before the end at most.

    So the last epoch is always trained and scored.
    """
    state = checkpoint.resume(records.checkpoint_file(folder, student.key))
    if state is None or state.epoch >= student.recipe.train.epochs:
        return None
    return state if holds(history(folder, student.key), state.epoch) else None


def _finish(student: StudentSpec, lesson: DistillationData, folder: Path, epoch: Epoch) -> None:
    """Score the test set, once, and keep the final weights alone."""
    where = device()
    model = build(student.recipe.network, lesson.data.shape, len(lesson.data.classes))
    model.load_state_dict(epoch.state.weights)
    output = respond(model.to(where), tensor(lesson.data.test.images, where))
    logits, labels = output.logits, tensor(lesson.data.test.labels, where)
    scores = score(logits, labels)
    teacher = None if lesson.teacher is None else tensor(lesson.teacher.test, where)
    tensor_file.write(records.weights_file(folder, student.key), epoch.state.weights)
    row: dict[str, Any] = {f"test_{name}": value for name, value in scores._asdict().items()} | {"reason": None}
    row["agreement"] = None if teacher is None else agreement(logits, teacher)
    row["latency_ms"] = latency(model, lesson.data.shape)
    omit = student.recipe.train.omit
    row["diagnosis"] = diagnose(output, labels, omit.classes if omit else ())
    _close(folder, student.key, "finished", row)


def _opened(student: StudentSpec, teacher: str | None, lesson: DistillationData, folder: Path) -> bool:
    """Write a student's first row; one that cannot even be built has failed."""
    try:
        records.append(folder, student.key, _opening(student, teacher, lesson))
    except Exception as error:
        records.append(folder, student.key, opening(student) | {"teacher": teacher, "time": time.time()})
        _close(folder, student.key, "failed", {"reason": _one_line(error)})
        return False
    return True


def _opening(student: StudentSpec, teacher: str | None, lesson: DistillationData) -> dict[str, Any]:
    model = build(student.recipe.network, lesson.data.shape, len(lesson.data.classes))
    started = [each._asdict() for each in begin(model)]
    return {
        **opening(student),
        "teacher": teacher,
        **({"weights": started} if started else {}),
        **cost(model, lesson.data.shape)._asdict(),
        "time": time.time(),
    }


def _close(folder: Path, key: str, status: str, row: dict[str, Any]) -> None:
    records.append(folder, key, {"kind": "end", "status": status, **row, "time": time.time()})
    if status != "failed":  # whoever failed is tried again, from where it was
        records.checkpoint_file(folder, key).unlink(missing_ok=True)


def _one_line(error: Exception) -> str:
    """What went wrong and where, for the one line that a failing student gets."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {message[0]} ({Path(frame.filename).name}:{frame.lineno})"
