"""Students of an experiment: recipe, name, first row and status.

The rows of a student are in trials/KEY/epochs.jsonl of the experiment's folder; KEY is StudentSpec.key. Its worker
writes them to a store (search/students/store.py). The driver (search/trials/callback.py) writes the final row of a
stopped student, and of a student after too many deaths of its worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from results.students import History, histories, history
from spaces.knob_paths import is_distillation_knob
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.baseline import canonical_recipe, teacher_weight_paths

DONE_STATUSES = {"finished", "diverged"}  # training again would give the same


@dataclass(frozen=True, repr=False)
class StudentSpec:
    """One recipe to train, its stage, and the values of its knobs."""

    stage: str
    recipe: Recipe
    values: dict[str, Any]
    suggested: dict[str, Any] | None = None  # values proposed by a sampler, from which its study is rebuilt
    study: str = "explore"  # stage of the search that proposed it
    teacher_weights: Sequence[str] = ()  # of a baseline: knobs that are 0 in the tables

    @cached_property
    def key(self) -> str:
        """Name of the student's folder; equal recipes have equal keys."""
        return self.recipe.key()

    def __repr__(self) -> str:
        return self.key  # Ray writes configs into names, and into messages at every report


@dataclass(frozen=True, repr=False)
class Pack:
    """Students of one Ray trial, stacked or trained in turn."""

    students: tuple[StudentSpec, ...]
    stacked: bool = True

    def __repr__(self) -> str:
        return self.students[0].key


def teacher_json(recipe: Recipe) -> str:
    """Return the teacher section of a recipe as JSON.

    Equal texts are one teacher.
    """
    return recipe.teacher.model_dump_json() if recipe.teacher else ""


def student_spec(
    space: Space, stage: str, values: dict[str, Any], seed: int, teacher_seed: int, train_on: str | None = None
) -> StudentSpec:
    """Return the student with these knob values and seeds.

    It is a baseline, in any stage, if the teacher has no weight in its loss. `train_on` is that of its recipe.
    """
    filled = space.fill(values, seed, teacher_seed).model_copy(update={"train_on": train_on})
    recipe = filled.baseline() if stage == "baseline" else canonical_recipe(filled)
    if recipe.method.name == "none":
        own = {path: value for path, value in values.items() if not is_distillation_knob(path)}
        return StudentSpec("baseline", recipe, own, teacher_weights=teacher_weight_paths(space.methods))
    return StudentSpec(stage, recipe, values)


def first_row(student: StudentSpec) -> dict[str, Any]:
    """Return the first row of a student, without its network's cost."""
    recipe = student.recipe
    return {
        "kind": "student",
        "trial": student.key,
        "stage": student.stage,
        "seed": recipe.seed,
        "teacher_seed": recipe.teacher.seed if recipe.teacher else 0,
        "values": student.values,
        "suggested": student.suggested,
        "study": student.study,
        "teacher_weights": [*student.teacher_weights],
        "planned_epochs": recipe.train.epochs,
        "train_on": recipe.train_on,
    }


def students_for_seeds(
    space: Space, candidates: Iterable[dict[str, Any]], stage: str, seeds: Sequence[int]
) -> list[StudentSpec]:
    """Return baselines and students of these knob values, for each seed.

    All of a seed come before the next seed, its baselines first. Equal recipes occur once.
    """
    candidates = list(candidates)
    train_on = "all" if stage == "confirm" and space.trains_on_all else None
    students = (
        student_spec(space, kind, values, seed, teacher_seed, train_on)
        for seed in seeds
        for teacher_seed in space.teacher_seeds
        for kind in ("baseline", stage)
        for values in candidates
    )
    return list({student.key: student for student in students}.values())


def unfinished_students(folder: Path, students: Iterable[StudentSpec]) -> list[StudentSpec]:
    """Return the students neither finished nor diverged."""
    return [student for student in students if student_status(history(folder, student.key)) not in DONE_STATUSES]


def student_status(past: History | None) -> str | None:
    """Return the status in the final row; None without a final row."""
    return past.end.get("status") if past else None


def suggested_histories(folder: Path, study: str = "explore") -> list[History]:
    """Return the histories of the students proposed in a stage, by start time."""
    proposed = (past for past in histories(folder) if past.start["suggested"] is not None)
    return sorted((past for past in proposed if past.start["study"] == study), key=lambda past: past.start["time"])


def has_first_epochs(past: History | None, epochs: int) -> bool:
    """Return True if each epoch up to `epochs` has a row."""
    return past is not None and [row["epoch"] for row in past.epochs[:epochs]] == list(range(1, epochs + 1))
