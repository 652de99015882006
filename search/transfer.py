"""Students of earlier experiments, for the study of an adaptive search.

They enter its Optuna study as trials and are no results. Only students that the present space would train in the same
way are taken, whatever their seed. They are written into the experiment's folder once, so that a resumed search has the
same study even if the earlier folders changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from results import paths, records
from results.students import History, histories
from search.identity import identity_differences, recorded_identity
from search.students.spec import DONE_STATUSES, student_status
from spaces.document import Tree
from spaces.errors import UserError
from spaces.space import Space, load_recorded_space
from spaces.template import Values
from trainables.baseline import canonical_recipe

LEARNABLE = {*DONE_STATUSES, "stopped"}


def transferred_students(space: Space, identity: Mapping[str, Any], folder: Path) -> list[History]:
    """Return the students of `search.from`, with values of this space.

    Those recorded in the folder are read from it. Raises UserError for a folder without an experiment, an experiment
    of another identity, and one without a student of this space.
    """
    if not space.search.from_:
        return []
    if paths.transfer_file(folder).is_file():
        return recorded_transfer(folder)
    return [past for run in space.search.from_ for past in _students_of_run(space, identity, Path(run))]


def record_transfer(folder: Path, transferred: Sequence[History]) -> None:
    """Write the students into the folder, once."""
    if transferred and not paths.transfer_file(folder).is_file():
        records.write_file(paths.transfer_file(folder), json.dumps([past._asdict() for past in transferred]))


def recorded_transfer(folder: Path) -> list[History]:
    """Return the recorded students, empty without any."""
    path = paths.transfer_file(folder)
    return [History(**record) for record in json.loads(path.read_text())] if path.is_file() else []


def _students_of_run(space: Space, identity: Mapping[str, Any], run: Path) -> list[History]:
    try:
        records.require_experiment(run)
    except UserError as error:
        raise space.error("search.from", str(error)) from None
    if differences := list(identity_differences(recorded_identity(run), identity)):
        raise space.error("search.from", f"{run} is of another protocol: {'; '.join(differences)}")
    earlier = load_recorded_space(paths.space_file(run))
    ended = [past for past in histories(run) if past.start["stage"] != "baseline" and student_status(past) in LEARNABLE]
    students = list(_with_values(space, earlier, ended))
    if not students:
        reason = "other fixed values, epochs or domains"
        raise space.error("search.from", f"{run}: none of its {len(ended)} students is one of this space: {reason}")
    return students


def _with_values(space: Space, earlier: Space, students: list[History]) -> Iterator[History]:
    """Yield the students that are also students of this space."""
    for past in students:
        try:
            values = _present_values(space, earlier, past.start["values"])
            recipe = space.fill(values, past.start["seed"], past.start.get("teacher_seed") or 0)
        except (UserError, ValueError, KeyError, TypeError):  # outside the domains, or a knob without a value
            continue
        if canonical_recipe(recipe).key() == past.start["trial"]:
            yield past._replace(start={**past.start, "suggested": values})


def _present_values(space: Space, earlier: Space, values: Values) -> Values:
    """Return the values of this space's knobs, fixed or searched earlier."""
    return space.sample_values(lambda path, _: values[path] if path in values else _fixed_value(earlier.template, path))


def _fixed_value(template: Tree, path: str) -> Any:
    node: Any = template
    for key in path.split("."):
        node = node[key]
    return node
