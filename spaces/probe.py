"""Validation of a template by complete recipes.

They cover every option, and both ends of every range.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pydantic import ValidationError

from spaces.document import Tree, YamlValue, find_line
from spaces.domain import Choice, Node
from spaces.errors import LocatedProblem, Problem
from spaces.pydantic_errors import validation_problems
from spaces.recipe import Recipe
from spaces.template import (
    BROKEN_DOMAIN,
    Values,
    count_cells,
    fill_template,
    find_domains,
    iterate_cells,
    join_path,
    probe_values,
    recipe_tree,
    source_path,
)

RecipeValidator = Callable[[Recipe], Iterable[Problem]]
MAX_VALIDATED_CELLS = 1000  # of a grid: smaller grids are validated cell by cell, for keys that conflict in pairs only


class _ProbeProblem(NamedTuple):
    """Problem of the recipe with these values."""

    values: Values
    path: str
    message: str


def probe_problems(
    template: Node, lines: dict[str, int], broken_paths: set[str], validate: RecipeValidator | None
) -> Iterator[LocatedProblem]:
    """Yield one problem per place in the file.

    Places at or inside a broken domain are left out: the parser has reported them.
    """
    reported: set[tuple[str, str]] = set()
    for problem in _all_problems(template, validate):
        source, path = _problem_source(template, problem), problem.path
        if (source, path) not in reported and not any(f"{path}.".startswith(f"{broken}.") for broken in broken_paths):
            reported.add((source, path))
            yield LocatedProblem(find_line(lines, source), path, problem.message)


def _problem_source(template: Node, problem: _ProbeProblem) -> str:
    """Return the path of a problem in the file.

    An unknown key has one path, however many options it holds.
    """
    parent, _, key = problem.path.rpartition(".")
    if "unknown key" in problem.message:
        return join_path(source_path(template, parent, problem.values), key)
    return source_path(template, problem.path, problem.values)


def _all_problems(template: Node, validate: RecipeValidator | None) -> Iterator[_ProbeProblem]:
    for values in probe_values(template):
        tree = fill_template(template, values)
        if isinstance(tree.get("teacher"), dict) and "seed" in tree["teacher"]:
            yield _ProbeProblem(values, "teacher.seed", "unknown key; did you mean seeds?")
        recipe, problems = _validate_tree(recipe_tree(template, values, 0, 0))
        further = validate(recipe) if validate and recipe else ()
        corrected = {_corrected_path(path, message) for path, message in problems}
        yield from (_ProbeProblem(values, *problem) for problem in problems)
        yield from (_ProbeProblem(values, path, message) for path, message in further if path not in corrected)
    for values in _cells_to_validate(template):
        problems = _validate_tree(recipe_tree(template, values, 0, 0))[1]
        yield from (_ProbeProblem(values, *problem) for problem in problems)


def _corrected_path(path: str, message: str) -> str:
    """Return the correct path of a misspelled key, or an empty string."""
    word = re.search(r"(?:did you mean|missing after) (\w+):?\?$", message)
    return join_path(path.rpartition(".")[0], word[1]) if word else ""


def _validate_tree(tree: Tree) -> tuple[Recipe | None, list[Problem]]:
    try:
        return Recipe.model_validate(tree), []
    except ValidationError as error:
        problems = list(validation_problems(error, Recipe))
        _remove_invalid(tree, error)
    try:
        # The rest without its invalid keys can still be validated, so that all problems are reported at once.
        return Recipe.model_validate(tree), problems
    except ValidationError:
        return None, problems


def _remove_invalid(tree: Tree, error: ValidationError) -> None:
    for problem in error.errors():
        loc = problem["loc"][:-1] if problem["type"] == "missing" else problem["loc"]
        node: YamlValue = tree
        for part in loc[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if loc and isinstance(node, dict):  # a list belongs to the template and is left as it is
            node.pop(loc[-1], None)


def _cells_to_validate(template: Node) -> Iterator[Values]:
    domains = [domain for _, domain in find_domains(template)]
    is_grid = all(isinstance(domain, Choice) and domain is not BROKEN_DOMAIN for domain in domains)
    if is_grid and count_cells(template) <= MAX_VALIDATED_CELLS:
        yield from iterate_cells(template)
