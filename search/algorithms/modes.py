"""Direction of each metric, as Ray and Optuna name it."""

from __future__ import annotations

from spaces.metrics import SEARCH_METRICS, VAL_FIELDS

METRIC_MODES = {name: VAL_FIELDS[name].metric.direction for name in SEARCH_METRICS}
