"""Rows and checkpoint of a student, as changes of its store.

A student has a first row, one row per epoch, and a final row with its status. They are written to its store
(search/students/store.py), the rows of an epoch together with its checkpoint.

Decision: "The last epoch is scored and its final row written before it is reported" (docs/decisions.md).
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results.records import Row
from results.students import History
from search.students.spec import DONE_STATUSES, StudentSpec, first_row, has_first_epochs, student_status
from search.students.store import StudentChange, StudentStore
from spaces.metric_functions import agreement
from spaces.metrics import compute_metrics
from trainables import checkpoint
from trainables.cost import count_cost, measure_latency
from trainables.device import process_device, to_tensor
from trainables.diagnose import diagnose_network
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_output
from trainables.fit import EpochResult, TrainingState
from trainables.models import build_network
from trainables.weights import tensor_file
from trainables.weights.initial import load_initial_weights


def first_change(
    student: StudentSpec, teacher_name: str | None, distillation_data: DistillationData
) -> tuple[bool, StudentChange]:
    """Return True and the first row of a student.

    False and the final row `failed` as well if its network cannot be built.
    """
    row = first_row(student) | {"teacher": teacher_name}
    try:
        network_fields = _network_fields(student, distillation_data)
    except Exception as error:
        failed = final_change(student.key, "failed", {"reason": error_line(error)})
        return False, failed._replace(rows=[row | {"time": time.time()}, *failed.rows])
    return True, StudentChange(student.key, [row | network_fields | {"time": time.time()}])


def _network_fields(student: StudentSpec, distillation_data: DistillationData) -> dict[str, Any]:
    """Return cost and initial weight files of a student's network."""
    data = distillation_data.data
    model = build_network(student.recipe.network, data.shape, len(data.classes))
    weights = [file._asdict() for file in load_initial_weights(model)]
    return ({"weights": weights} if weights else {}) | count_cost(model, data.shape)._asdict()


def epoch_change(
    student: StudentSpec, distillation_data: DistillationData, epoch: EpochResult
) -> tuple[Row, StudentChange]:
    """Return an epoch's row, and its change of the store.

    The change of the last epoch has the test scores in a final row, and the final weights.
    """
    row = {"kind": "epoch", **epoch.row(), "time": time.time()}
    if epoch.epoch < student.recipe.train.epochs:
        return row, StudentChange(student.key, [row], checkpoint=checkpoint.serialize_checkpoint(epoch.state))
    final = final_change(student.key, "finished", _score_test_set(student, distillation_data, epoch))
    classes = {"classes": json.dumps(distillation_data.data.classes)}  # an export names them, whatever they are then
    weights = tensor_file.serialize_tensors(epoch.state.weights, classes)
    return row, final._replace(rows=[row, *final.rows], weights=weights)


def _score_test_set(student: StudentSpec, distillation_data: DistillationData, epoch: EpochResult) -> dict[str, Any]:
    """Return the scores of the test set, computed once."""
    data, device = distillation_data.data, process_device()
    model = build_network(student.recipe.network, data.shape, len(data.classes))
    model.load_state_dict(epoch.state.weights)
    output = predict_output(model.to(device), to_tensor(data.test.images, device))
    labels = to_tensor(data.test.labels, device)
    row: dict[str, Any] = {**compute_metrics(output.logits, labels, "test"), "reason": None}
    teacher = distillation_data.teacher
    row["agreement"] = None if teacher is None else agreement(output.logits, to_tensor(teacher.test, device))
    row["latency_ms"] = measure_latency(model, data.shape)
    omit = student.recipe.train.omit
    row["diagnosis"] = diagnose_network(output, labels, omit.classes if omit else ())
    return row


def final_change(key: str, status: str, fields: dict[str, Any]) -> StudentChange:
    """Return the final row, and the removal of the checkpoint.

    A failed student keeps its checkpoint for a retry.
    """
    row = {"kind": "end", "status": status, **fields, "time": time.time()}
    return StudentChange(key, [row], drop_checkpoint=status != "failed")


def resume_states(students: Sequence[StudentSpec], store: StudentStore) -> list[TrainingState | None]:
    """Return each student's checkpoint, or None to start at the first epoch."""
    keys = [student.key for student in students]
    past = zip(students, store.checkpoints(keys), store.histories(keys), strict=True)
    return [_resume_state(student, content, rows) for student, content, rows in past]


def _resume_state(student: StudentSpec, content: bytes | None, past: History | None) -> TrainingState | None:
    """Return the state in a checkpoint, or None.

    A checkpoint counts if all its epochs have rows and at least one epoch is left, so that the last epoch is always
    trained and scored.
    """
    state = checkpoint.resume_checkpoint(content, Path(student.key)) if content is not None else None
    if state is None or state.epoch >= student.recipe.train.epochs:
        return None
    return state if has_first_epochs(past, state.epoch) else None


def has_ended(student: StudentSpec, past: History | None) -> bool:
    """Return True if a student needs no more training.

    A failed student is retried. A stopped student is done if a searcher proposed it. For a student of a grid, `stopped`
    means that the run was interrupted; it is trained again.
    """
    status = student_status(past)
    return status in DONE_STATUSES or (status == "stopped" and student.suggested is not None)


def stopped_students(students: Sequence[StudentSpec], store: StudentStore) -> set[str]:
    """Return the keys of the proposed students stopped by the driver.

    The driver writes the final row before `tune.report` returns. Ray itself ends only trials with no student left.
    """
    proposed = [student for student in students if student.suggested is not None]
    histories = store.histories([student.key for student in proposed]) if proposed else []
    return {student.key for student, past in zip(proposed, histories, strict=True) if has_ended(student, past)}


def error_line(error: Exception) -> str:
    """Return type, message and place of an error in one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {message[0]} ({Path(frame.filename).name}:{frame.lineno})"
