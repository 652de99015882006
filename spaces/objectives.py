"""Objectives of a search: validation metrics, and costs of a student.

A metric is described in spaces/metrics.py, a cost here. A cost is better if it is lower.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from spaces.metrics import SEARCH_METRICS, VAL_FIELDS


class CostAxis(NamedTuple):
    """Title and unit of a cost, and a note for captions."""

    name: str
    unit: str
    note: str = ""


COSTS = {
    "parameters": CostAxis("parameters", "parameters"),
    "macs": CostAxis("multiply-accumulates per image", "multiply-accumulates per image"),
    "latency_ms": CostAxis(
        "latency of one image (ms)", "ms", "Timed in PyTorch, on one thread of the machine that trained."
    ),
}
OBJECTIVES = (*SEARCH_METRICS, *COSTS)


def objective_direction(name: str) -> Literal["max", "min"]:
    """Return the better direction of an objective."""
    return "min" if name in COSTS else VAL_FIELDS[name].metric.direction
