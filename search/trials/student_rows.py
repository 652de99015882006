"""Rows and checkpoint of a student, written by its worker.

A student has a first row, one row per epoch, and a final row with its status. They are appended to
trials/KEY/epochs.jsonl (results/records.py). An epoch's row is written before its checkpoint, so a worker that dies
between the two trains that epoch again, and no row is missing.

Decision: "The last epoch is scored and its final row written before it is reported" (docs/decisions.md).
"""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import Any

from results import paths, records
from results.students import History, history
from search.students.spec import DONE_STATUSES, StudentSpec, first_row, has_first_epochs, student_status
from spaces.metrics import agreement, compute_metrics
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


def write_first_row(
    student: StudentSpec, teacher_name: str | None, distillation_data: DistillationData, folder: Path
) -> bool:
    """Write the first row; return False after an error.

    A network that cannot be built gets the final row `failed`.
    """
    row = first_row(student) | {"teacher": teacher_name}
    try:
        network_fields = _network_fields(student, distillation_data)
    except Exception as error:
        records.append_row(folder, student.key, row | {"time": time.time()})
        write_final_row(folder, student.key, "failed", {"reason": error_line(error)})
        return False
    records.append_row(folder, student.key, row | network_fields | {"time": time.time()})
    return True


def _network_fields(student: StudentSpec, distillation_data: DistillationData) -> dict[str, Any]:
    """Return cost and initial weight files of a student's network."""
    data = distillation_data.data
    model = build_network(student.recipe.network, data.shape, len(data.classes))
    weights = [file._asdict() for file in load_initial_weights(model)]
    return ({"weights": weights} if weights else {}) | count_cost(model, data.shape)._asdict()


def write_epoch(
    student: StudentSpec, distillation_data: DistillationData, folder: Path, epoch: EpochResult
) -> dict[str, Any]:
    """Write an epoch's row, then its checkpoint or the final row.

    Returns the row with the key of the student.
    """
    row = {"kind": "epoch", **epoch.row(), "time": time.time()}
    records.append_row(folder, student.key, row)
    if epoch.epoch < student.recipe.train.epochs:
        checkpoint.save_checkpoint(paths.checkpoint_file(folder, student.key), epoch.state)
    else:  # a worker that dies here trains its last epoch again, from the checkpoint before
        write_finished(student, distillation_data, folder, epoch)
    return {"trial": student.key, **row}


def write_finished(student: StudentSpec, distillation_data: DistillationData, folder: Path, epoch: EpochResult) -> None:
    """Score the test set once; write final weights and final row."""
    data, device = distillation_data.data, process_device()
    model = build_network(student.recipe.network, data.shape, len(data.classes))
    model.load_state_dict(epoch.state.weights)
    output = predict_output(model.to(device), to_tensor(data.test.images, device))
    labels = to_tensor(data.test.labels, device)
    classes = {"classes": json.dumps(data.classes)}  # an export names them, whatever the images are called by then
    tensor_file.write_tensors(paths.weights_file(folder, student.key), epoch.state.weights, classes)
    row: dict[str, Any] = {**compute_metrics(output.logits, labels, "test"), "reason": None}
    teacher = distillation_data.teacher
    row["agreement"] = None if teacher is None else agreement(output.logits, to_tensor(teacher.test, device))
    row["latency_ms"] = measure_latency(model, data.shape)
    omit = student.recipe.train.omit
    row["diagnosis"] = diagnose_network(output, labels, omit.classes if omit else ())
    write_final_row(folder, student.key, "finished", row)


def write_final_row(folder: Path, key: str, status: str, row: dict[str, Any]) -> None:
    """Write the final row and remove the checkpoint.

    A failed student keeps its checkpoint for a retry.
    """
    records.append_row(folder, key, {"kind": "end", "status": status, **row, "time": time.time()})
    if status != "failed":
        paths.checkpoint_file(folder, key).unlink(missing_ok=True)


def resume_state(student: StudentSpec, folder: Path) -> TrainingState | None:
    """Return the checkpoint, or None to start at the first epoch.

    A checkpoint counts if all its epochs have rows and at least one epoch is left, so that the last epoch is always
    trained and scored.
    """
    state = checkpoint.resume_checkpoint(paths.checkpoint_file(folder, student.key))
    if state is None or state.epoch >= student.recipe.train.epochs:
        return None
    return state if has_first_epochs(history(folder, student.key), state.epoch) else None


def has_ended(student: StudentSpec, past: History | None) -> bool:
    """Return True if a student needs no more training.

    A failed student is retried. A stopped student is done if a searcher proposed it. For a student of a grid, `stopped`
    means that the run was interrupted; it is trained again.
    """
    status = student_status(past)
    return status in DONE_STATUSES or (status == "stopped" and student.suggested is not None)


def is_stopped(student: StudentSpec, folder: Path) -> bool:
    """Return True if the driver has stopped a proposed student.

    The driver writes the final row before `tune.report` returns. Ray itself ends only trials with no student left.
    """
    return student.suggested is not None and has_ended(student, history(folder, student.key))


def error_line(error: Exception) -> str:
    """Return type, message and place of an error in one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {message[0]} ({Path(frame.filename).name}:{frame.lineno})"
