"""Students requested of a search, finished or not.

Tables show them all: a column of failed students must not vanish.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results.records import Row
from results.students import knob_columns, knob_values, table_rows
from spaces.knob_paths import is_distillation_knob
from spaces.label import label_text
from spaces.space import Space
from spaces.template import Values, fill_template

NOT_STARTED = "not started"  # status of a student without rows


def asked_students(students: pandas.DataFrame, space: Space, teacher_weights: Sequence[str]) -> pandas.DataFrame:
    """Return the students, then those of the grid without rows.

    The latter have the status NOT_STARTED. An adaptive search asks for the students that it proposes, and a limit of
    size leaves out whole configurations: neither adds any.
    """
    if space.search.algorithm != "grid":
        return students
    knobs = knob_columns(students)
    keys = set(zip(_configuration_keys(students, knobs), students["seed"], students["teacher_seed"], strict=True))
    configurations = pandas.DataFrame(
        [_asked_configuration(space, values, teacher_weights) for values in space.cells()],
        columns=pandas.Index(["stage", *knobs]),
        dtype=object,
    )
    begun = {key for key, _, _ in keys}
    has_limit = space.search.limit.parameters is not None or space.search.limit.macs is not None
    missing = {
        (key, seed, teacher_seed): row | {"seed": seed, "teacher_seed": teacher_seed, "status": NOT_STARTED}
        for key, row in zip(_configuration_keys(configurations, knobs), table_rows(configurations), strict=True)
        if key in begun or not has_limit
        for seed in space.seeds
        for teacher_seed in (space.teacher_seeds if row["stage"] == "explore" else [0])
        if (key, seed, teacher_seed) not in keys
    }
    if not missing:
        return students
    rows = pandas.DataFrame(list(missing.values())).astype({"seed": "Int64", "teacher_seed": "Int64"})
    return pandas.concat([students, rows.reindex(columns=students.columns).astype(students.dtypes)], ignore_index=True)


def _asked_configuration(space: Space, values: Values, teacher_weights: Sequence[str]) -> Row:
    """Return stage and knobs of a cell, as its students record them."""
    if not _is_weightless(space, values, teacher_weights):
        return {"stage": "explore", **values}
    own = {path: label for path, label in values.items() if not is_distillation_knob(path)}
    start = {"stage": "baseline", "teacher_weights": teacher_weights, "values": own}
    return {"stage": "baseline", **knob_values(start, space.knobs)}


def _is_weightless(space: Space, values: Values, teacher_weights: Sequence[str]) -> bool:
    """True for a cell trained on labels only, the baseline."""
    method = fill_template(space.template.get("method"), values, "method")
    if not isinstance(method, dict):
        return method == "none"
    weights = [method[path.partition(".")[2]] for path in teacher_weights if path.partition(".")[2] in method]
    return method.get("name") == "none" or (bool(weights) and not any(weights))


def _configuration_keys(students: pandas.DataFrame, knobs: Sequence[str]) -> list[tuple[str, ...]]:
    """Return one key per student: stage and texts of labels."""
    columns = [students["stage"], *(students[name].map(label_text) for name in knobs)]
    return list(zip(*columns, strict=True))
