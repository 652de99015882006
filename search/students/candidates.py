"""Students and teachers of a space, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from search.students.spec import StudentSpec, student_spec, students_for_seeds, teacher_json
from spaces import template
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.template import Values
from trainables.baseline import canonical_recipe
from trainables.cost import network_cost
from trainables.data import Dataset


def grid_students(space: Space, data: Dataset) -> list[StudentSpec]:
    """Return the students of a grid within the search limit.

    Other algorithms have none. Large grids take seconds, so this is called once per run. Raises UserError if no student
    is within the limit.
    """
    if space.search.algorithm != "grid":
        return []
    students = students_for_seeds(space, space.cells(), "explore", space.seeds)
    allowed = [student for student in students if within_limit(space, student.recipe, data)]
    if not allowed:
        smallest = min(network_cost(student.recipe.network, data) for student in students)
        size = f"a student here has {smallest.parameters:,} parameters and {smallest.macs:,} MACs"
        raise space.error("search.limit", f"no student is within it; {size}")
    return allowed


def within_limit(space: Space, recipe: Recipe, data: Dataset) -> bool:
    """Return True if a student is within `search.limit`."""
    limit = space.search.limit
    if limit.parameters is None and limit.macs is None:
        return True
    cost = network_cost(recipe.network, data)
    return cost.parameters <= (limit.parameters or cost.parameters) and cost.macs <= (limit.macs or cost.macs)


def proposed_student(space: Space, values: Values, data: Dataset) -> StudentSpec | None:
    """Return the student of an adaptive search with these values.

    Return None above the search limit.
    """
    student = student_spec(space, "explore", values, space.seeds[0], space.teacher_seeds[0])
    return replace(student, suggested=values) if within_limit(space, student.recipe, data) else None


def students_per_teacher(space: Space) -> list[StudentSpec]:
    """Return one student for each distinct teacher.

    Without a method that needs a teacher the list is empty.
    """
    probes = space.probes()
    if not any(canonical_recipe(space.fill(values, 0)).teacher for values in probes):
        return []
    rest = {path: label for path, label in probes[0].items() if path.split(".")[0] != "teacher"}
    students = (
        StudentSpec("explore", space.fill({**rest, **teacher}, space.seeds[0], seed), {**rest, **teacher})
        for teacher in template.iterate_cells(space.template.get("teacher", {}), "teacher")
        for seed in space.teacher_seeds
    )
    return list({teacher_json(student.recipe): student for student in students}.values())


def all_teacher_recipes(students: Sequence[StudentSpec]) -> list[Recipe]:
    """Return the recipes of all teachers of these students, each once.

    Teachers of teachers and members of ensembles are included.
    """
    recipes = {recipe.key(): recipe for student in students for recipe in _teachers_first(student.recipe)}
    return list(recipes.values())


def _teachers_first(recipe: Recipe) -> Iterator[Recipe]:
    for teacher in recipe.teacher_recipes():
        yield from _teachers_first(teacher)
        yield teacher
