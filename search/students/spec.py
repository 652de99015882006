"""Which students an experiment wants: the unit that a stage lists, Ray trains and a rows file records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.students import History, histories, history
from spaces.recipe import Recipe
from spaces.space import Space

DONE = {"finished", "diverged"}  # statuses that training again would only repeat


@dataclass(frozen=True)
class StudentSpec:
    """One recipe to train, the stage that asked for it, and the values that filled the holes."""

    stage: str
    recipe: Recipe
    values: dict[str, Any]
    suggested: dict[str, Any] | None = None  # by an adaptive search, whose history is rebuilt from it

    @property
    def key(self) -> str:
        """The name of its folder: equal recipes are one student."""
        return self.recipe.key()

    def __str__(self) -> str:
        return self.key  # Ray writes configs into names


@dataclass(frozen=True)
class Pack:
    """Students that one Ray trial trains: as one, or one after another."""

    students: tuple[StudentSpec, ...]
    as_one: bool = True

    def __str__(self) -> str:
        return self.students[0].key  # Ray writes configs into names


def teacher_of(recipe: Recipe) -> str:
    """The teacher's part of a recipe as text: equal texts are one teacher."""
    return recipe.teacher.model_dump_json() if recipe.teacher else ""


def student(space: Space, stage: str, values: dict[str, Any], seed: int, teacher_seed: int) -> StudentSpec:
    """Fill the holes; where the teacher has no weight the student is the baseline, whatever the stage."""
    filled = space.fill(values, seed, teacher_seed)
    recipe = filled.canonical()
    if stage == "baseline":
        recipe = filled.baseline()
    if recipe.method.name == "none":
        own = {path: value for path, value in values.items() if path.split(".")[0] not in ("method", "teacher")}
        return StudentSpec("baseline", recipe, own)
    return StudentSpec(stage, recipe, values)


def opening(student: StudentSpec) -> dict[str, Any]:
    """What the first row of a student says of it before it is built."""
    recipe = student.recipe
    return {
        "kind": "student",
        "trial": student.key,
        "stage": student.stage,
        "seed": recipe.seed,
        "teacher_seed": recipe.teacher.seed if recipe.teacher else 0,
        "values": student.values,
        "suggested": student.suggested,
        "planned_epochs": recipe.train.epochs,
    }


def cells(space: Space, candidates: Iterable[dict[str, Any]], stage: str, seeds: Sequence[int]) -> list[StudentSpec]:
    """The baselines, then the students, of these values with these seeds; each once, whole seeds first."""
    candidates = list(candidates)
    wanted = (
        student(space, kind, values, seed, teacher_seed)
        for seed in seeds
        for teacher_seed in space.teacher_seeds
        for kind in ("baseline", stage)
        for values in candidates
    )
    return list({each.key: each for each in wanted}.values())


def todo(folder: Path, students: Iterable[StudentSpec]) -> list[StudentSpec]:
    """The students that are not done yet."""
    return [each for each in students if status(history(folder, each.key)) not in DONE]


def status(past: History | None) -> str | None:
    """How a student ended, or None where it has not."""
    return past.end.get("status") if past else None


def suggested(folder: Path) -> list[History]:
    """The histories of all students that an adaptive search suggested, in the order in which they were started."""
    found = (history for history in histories(folder) if history.start["suggested"] is not None)
    return sorted(found, key=lambda history: history.start["time"])
