"""Messages of TensorBoard's HParams page: columns of knobs, and the end of a session."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

from spaces.metrics import METRIC_FIELDS, Shown

HPARAM_FIELDS: dict[str, list | None] = {
    "stage": ["explore", "confirm", "baseline"],
    "seed": None,
    "teacher_seed": None,
}
DATA_TYPES = {str: api_pb2.DATA_TYPE_STRING, bool: api_pb2.DATA_TYPE_BOOL, float: api_pb2.DATA_TYPE_FLOAT64}


def hparam_type(values: list | None) -> type:
    """Return the one type of a column: float, bool, or else str."""
    labels = [value for value in values or [] if value is not None]
    if labels and all(isinstance(value, bool) for value in labels):
        return bool
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in labels)
    return float if numbers else str


def columns_summary(domains: Mapping[str, list | None], types: Mapping[str, type]) -> summary_pb2.Summary:
    """Return the message of all columns: knobs and metrics."""
    infos = [_column_info(name, domains[name], types[name]) for name in domains]
    shown = [field for field in METRIC_FIELDS.values() if field.metric.shown is Shown.ALWAYS]
    metrics = [
        summary_v2.Metric(field.tag, display_name=field.head.replace("%", field.metric.name)).as_proto()
        for field in shown
    ]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics, time_created_secs=time.time())
    return _plugin_summary(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment))


def _column_info(name: str, values: list | None, kind: type) -> api_pb2.HParamInfo:
    info = api_pb2.HParamInfo(name=name, type=DATA_TYPES[kind])
    if values:
        info.domain_discrete.extend([kind(value) for value in values if value is not None])
    return info


def session_end_summary(status: str, timestamp: float) -> summary_pb2.Summary:
    """Return the message of a student's end."""
    success = api_pb2.STATUS_SUCCESS if status in ("finished", "stopped") else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=success, end_time_secs=timestamp)
    return _plugin_summary(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _plugin_summary(tag: str, content: Any) -> summary_pb2.Summary:
    value = summary_pb2.Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR
    )
    return summary_pb2.Summary(value=[value])
