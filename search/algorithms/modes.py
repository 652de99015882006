"""Direction of each objective, as Ray and Optuna name it."""

from __future__ import annotations

from spaces.objectives import OBJECTIVES, objective_direction

METRIC_MODES = {name: objective_direction(name) for name in OBJECTIVES}
