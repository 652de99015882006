"""Students for TensorBoard: scalars under plain tags, one HParams experiment with a session per student, pictures.

TensorBoard's own writer and messages do without torch and TensorFlow.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from results import records
from results.records import Folder, Row

SUFFIX = ".students"  # marks the event files written here, the only ones ever deleted
SCALARS = {
    **{"train_loss": "loss/train", "val_loss": "loss/val", "val_accuracy": "accuracy/val", "lr": "lr"},
    **{"val_macro_f1": "macro_f1/val", "val_auc": "auc/val"},
}
TESTED = {"test_accuracy": "accuracy/test", "test_macro_f1": "macro_f1/test", "test_auc": "auc/test"}
ALWAYS = {"stage": ["explore", "confirm", "baseline"], "seed": None, "teacher_seed": None}
KINDS = {str: api_pb2.DATA_TYPE_STRING, bool: api_pb2.DATA_TYPE_BOOL, float: api_pb2.DATA_TYPE_FLOAT64}


class Board:
    """The TensorBoard logs of one experiment, to be written while it runs and closed at its end.

    `hparams` are the knobs and the values each may take (None: any number); stage and seeds are added. A student's
    writer, which is a thread and a file, is open only from its first epoch to its end.
    """

    def __init__(self, folder: Folder, hparams: Mapping[str, list | None]) -> None:
        self._folder = records.tensorboard_folder(folder)
        domains = {**hparams, **ALWAYS}
        self._kinds = {name: _kind(values) for name, values in domains.items()}
        self._students: dict[str, EventFileWriter] = {}
        self._steps: dict[str, int] = {}
        self._root = EventFileWriter(str(self._folder), filename_suffix=SUFFIX)
        _add(self._root, _experiment(domains, self._kinds))

    def epoch(self, trial: str, student: Row, epoch: Row) -> None:
        """Writes one epoch of a student; its first one here also announces the student and its knobs."""
        step, when = epoch["epoch"], epoch.get("time") or time.time()
        if trial not in self._students:
            self._students[trial] = self._begin(trial, student, step)
        numbers = {tag: epoch[name] for name, tag in SCALARS.items() if epoch.get(name) is not None}
        self._steps[trial] = step
        _add(self._students[trial], _scalars(numbers), step, when)

    def end(self, trial: str, status: str, row: Row) -> None:
        """Writes the scores on the test images and how the student ended, and closes its writer."""
        writer = self._students.pop(trial, None)
        if writer is None:
            return
        step, when = self._steps.pop(trial), row.get("time") or time.time()
        numbers = {tag: row[name] for name, tag in TESTED.items() if row.get(name) is not None}
        if numbers:
            _add(writer, _scalars(numbers), step, when)
        _add(writer, _session_end(status, when), step, when)
        writer.close()

    def image(self, tag: str, png: Folder) -> None:
        """Shows a PNG file under a tag."""
        content = Path(png).read_bytes()
        width, height = struct.unpack(">II", content[16:24])  # the head of every PNG file
        image = summary_pb2.Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
        _add(self._root, summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, image=image)]))

    def close(self) -> None:
        """Closes what is open; students without an end stay marked as running."""
        for writer in [*self._students.values(), self._root]:
            writer.close()
        self._students.clear()

    def _begin(self, trial: str, student: Row, step: int) -> EventFileWriter:
        writer = EventFileWriter(str(self._folder / trial), filename_suffix=SUFFIX)
        # from here on anew: a reader drops what an earlier file of this student says about these epochs
        restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        when = student.get("time") or time.time()
        writer.add_event(event_pb2.Event(wall_time=when, step=step, session_log=restart))
        named = {**(student.get("values") or {}), **{name: student.get(name) for name in ALWAYS}}
        values = {name: self._kinds.get(name, str)(value) for name, value in named.items() if value is not None}
        _add(writer, summary_v2.hparams_pb(values, trial_id=trial, start_time_secs=when), step, when)
        return writer


def clear(folder: Folder) -> None:
    """Deletes the event files written here, and nothing else."""
    for file in records.tensorboard_folder(folder).glob(f"**/events.out.tfevents.*{SUFFIX}"):
        file.unlink()


def _kind(values: list | None) -> type:
    """TensorBoard gives a column one type: numbers, truth values, or else words."""
    known = [value for value in values or [] if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return bool
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return float if numbers else str


def _experiment(domains: Mapping[str, list | None], kinds: Mapping[str, type]) -> summary_pb2.Summary:
    infos = [_info(name, domains[name], kinds[name]) for name in domains]
    shown = {"accuracy/val": "validation accuracy", "accuracy/test": "test accuracy"}
    metrics = [summary_v2.Metric(tag, display_name=name).as_proto() for tag, name in shown.items()]
    whole = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics, time_created_secs=time.time())
    return _hparams(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=whole))


def _info(name: str, values: list | None, kind: type) -> api_pb2.HParamInfo:
    info = api_pb2.HParamInfo(name=name, type=KINDS[kind])
    if values:
        info.domain_discrete.extend([kind(value) for value in values if value is not None])
    return info


def _session_end(status: str, when: float) -> summary_pb2.Summary:
    good = api_pb2.STATUS_SUCCESS if status in ("finished", "stopped") else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=good, end_time_secs=when)
    return _hparams(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _hparams(tag: str, content: Any) -> summary_pb2.Summary:
    about = metadata.create_summary_metadata(content)
    return summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])


def _scalars(numbers: Mapping[str, float]) -> summary_pb2.Summary:
    return summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]
    )


def _add(writer: EventFileWriter, summary: summary_pb2.Summary, step: int = 0, when: float | None = None) -> None:
    writer.add_event(event_pb2.Event(wall_time=when or time.time(), step=step, summary=summary))
    writer.flush()
