"""TensorBoard logs: scalars under plain tags, one HParams session per student, and pictures.

TensorBoard's own writer and messages need neither torch nor TensorFlow.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from results import wording
from results.paths import Folder, tensorboard_folder
from results.records import Row
from results.students import History, knob_values
from results.trackers.hparams import HPARAM_FIELDS, columns_summary, hparam_type, session_end_summary
from spaces.domain import Choice
from spaces.metrics import TEST_FIELDS, VAL_FIELDS
from spaces.space import Space

FILE_SUFFIX = ".students"  # of the event files written here; no others are ever deleted
EPOCH_TAGS = {"train_loss": "loss/train", **{name: field.tag for name, field in VAL_FIELDS.items()}, "lr": "lr"}
MAX_NAME_CHARACTERS = 150  # of a folder; file systems allow 255 bytes
FINAL_TAGS = {**{name: field.tag for name, field in TEST_FIELDS.items()}, "agreement": "agreement/test"}


class TensorBoardTracker:
    """TensorBoard logs of one experiment.

    `hparams` are the knobs and the values each can take; None stands for any number. Stage and seeds are added.
    `students` are in earlier logs already. `logs` is the folder of the logs. The writer of a student, a thread and a
    file, is open only from its first new epoch to its end.
    """

    def __init__(
        self,
        folder: Folder,
        hparams: Mapping[str, list | None],
        students: Sequence[History] = (),
        logs: Path | None = None,
    ) -> None:
        self._folder, self._knobs = logs or tensorboard_folder(folder), list(hparams)
        self._types = {name: hparam_type(values) for name, values in {**hparams, **HPARAM_FIELDS}.items()}
        self._writers: dict[str, EventFileWriter] = {}
        self._written = {student.start["trial"]: student.epochs for student in students}
        self._ended = {student.start["trial"] for student in students if student.end}
        self._root = EventFileWriter(str(self._folder), filename_suffix=FILE_SUFFIX)
        _add_event(self._root, columns_summary({**hparams, **HPARAM_FIELDS}, self._types))

    def update(self, student: History) -> None:
        """Write the new epochs of a student, and its end."""
        trial = student.start["trial"]
        written = self._written.get(trial, [])
        common = next(
            (index for index, pair in enumerate(zip(written, student.epochs, strict=False)) if pair[0] != pair[1]),
            min(len(written), len(student.epochs)),
        )
        if len(written) > common:  # epochs were repeated: a new file replaces them
            self._close_writer(trial)
        for epoch in student.epochs[common:]:
            self._write_epoch(trial, student.start, epoch)
        self._written[trial] = student.epochs
        if not student.end:
            self._ended.discard(trial)
        elif trial not in self._ended:
            self._write_end(trial, student)

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Write new epochs and close all files.

        Students without an end stay marked as running.
        """
        for student in students:
            self.update(student)
        for writer in [*self._writers.values(), self._root]:
            writer.close()
        self._writers.clear()

    def add_image(self, tag: str, png: Folder) -> None:
        """Show a PNG file under a tag."""
        content = Path(png).read_bytes()
        width, height = struct.unpack(">II", content[16:24])  # from the header of the PNG format
        image = summary_pb2.Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
        _add_event(self._root, summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, image=image)]))

    def _write_epoch(self, trial: str, start: Row, epoch: Row) -> None:
        step, timestamp = epoch["epoch"], epoch.get("time") or time.time()
        if trial not in self._writers:
            self._writers[trial] = self._open_writer(trial, start, step)
        scalars = {tag: epoch[name] for name, tag in EPOCH_TAGS.items() if epoch.get(name) is not None}
        _add_event(self._writers[trial], _scalar_summary(scalars), step, timestamp)

    def _write_end(self, trial: str, student: History) -> None:
        self._ended.add(trial)
        writer = self._writers.pop(trial, None)
        if writer is None:  # no epoch was written here
            return
        step, timestamp = student.epochs[-1]["epoch"], student.end.get("time") or time.time()
        scalars = {tag: student.end[name] for name, tag in FINAL_TAGS.items() if student.end.get(name) is not None}
        if scalars:
            _add_event(writer, _scalar_summary(scalars), step, timestamp)
        _add_event(writer, session_end_summary(student.end["status"], timestamp), step, timestamp)
        writer.close()

    def _close_writer(self, trial: str) -> None:
        if writer := self._writers.pop(trial, None):
            writer.close()

    def _open_writer(self, trial: str, start: Row, step: int) -> EventFileWriter:
        """Open a file; it replaces earlier events from this step on."""
        name = run_name(start, self._knobs)
        writer = EventFileWriter(str(self._folder / name), filename_suffix=FILE_SUFFIX)
        restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        timestamp = start.get("time") or time.time()
        writer.add_event(event_pb2.Event(wall_time=timestamp, step=step, session_log=restart))
        values = {**knob_values(start, self._knobs), **{name: start.get(name) for name in HPARAM_FIELDS}}
        typed = {name: self._types.get(name, str)(value) for name, value in values.items() if value is not None}
        _add_event(writer, summary_v2.hparams_pb(typed, trial_id=name, start_time_secs=timestamp), step, timestamp)
        return writer


def run_name(start: Row, knobs: list[str]) -> str:
    """Return the folder of a student's logs, such as `alpha 0.5, seed 0`.

    The start of the student's key follows if the text does not determine the student.
    """
    values, teacher_seed = knob_values(start, knobs), start.get("teacher_seed")
    stage = start["stage"] if start["stage"] != "explore" else ""
    teacher = f"teacher seed {teacher_seed}" if teacher_seed else ""
    parts = [stage, wording.format_configuration(values, knobs), f"seed {start['seed']}", teacher]
    text = ", ".join(filter(None, parts))
    name = re.sub(r"[^\w .,=+\[\]()-]", "_", text)[:MAX_NAME_CHARACTERS]
    numbers = [value for value in values.values() if isinstance(value, float)]
    is_exact = name == text and all(float(wording.format_label(number)) == number for number in numbers)
    return name if is_exact else f"{name} {start['trial'][-8:]}"


def start_tracker(folder: Path, space: Space, option: Any, students: Sequence[History]) -> TensorBoardTracker:
    """Start the TensorBoard logs of a run."""
    values = {path: list(domain.labels) if isinstance(domain, Choice) else None for path, domain in space.domains}
    return TensorBoardTracker(folder, values, students)


def delete_logs(logs: Path) -> None:
    """Delete the event files written here, and no others.

    Folders without files are deleted, too: TensorBoard would list them.
    """
    for file in list(logs.glob(f"**/events.out.tfevents.*{FILE_SUFFIX}")):  # folders are deleted on the way
        file.unlink()
        with suppress(OSError):  # other files are in it
            file.parent.rmdir()


def _scalar_summary(scalars: Mapping[str, float]) -> summary_pb2.Summary:
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=number) for tag, number in scalars.items()]
    return summary_pb2.Summary(value=values)


def _add_event(
    writer: EventFileWriter, summary: summary_pb2.Summary, step: int = 0, timestamp: float | None = None
) -> None:
    writer.add_event(event_pb2.Event(wall_time=timestamp or time.time(), step=step, summary=summary))
    writer.flush()
