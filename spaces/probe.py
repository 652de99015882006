"""Try every option and both ends of every range of a space as real recipes, and say what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from spaces.document import line
from spaces.domain import Choice
from spaces.errors import Complaint, Mistake
from spaces.pydantic_errors import complaints
from spaces.recipe import Recipe
from spaces.template import BROKEN, Values, cells, domains, fill, join, locate, probes, size

Judge = Callable[[Recipe], Iterable[Complaint]]
TRIED = 1000  # a grid of so many cells is tried whole: some parts only fail to agree in pairs


def mistakes(template: Any, lines: dict[str, int], broken: set[str], judge: Judge | None) -> Iterator[Mistake]:
    """Yield one mistake for each place in the file; what lies at or below a broken hole has been reported before."""
    told: set[tuple[str, str]] = set()
    for values, path, message in _complaints(template, judge):
        place = (_place(template, path, message, values), path)
        if place not in told and not any(f"{path}.".startswith(f"{hole}.") for hole in broken):
            told.add(place)
            yield Mistake(line(lines, place[0]), path, message)


def _place(template: Any, path: str, message: str, values: Values) -> str:
    """Where in the file a mistake stands; an unknown key is one mistake however many options lie below it."""
    parent, _, key = path.rpartition(".")
    return join(locate(template, parent, values), key) if "unknown key" in message else locate(template, path, values)


def recipe_tree(template: Any, values: Values, seed: int, teacher_seed: int) -> dict[str, Any]:
    """Return the filled template with its seeds, as a tree to make a Recipe of."""
    tree = fill(template, values)
    teacher = tree.get("teacher", {})
    if isinstance(teacher, dict):
        tree["teacher"] = {**teacher, "seed": teacher_seed}
    return {**tree, "seed": seed}


def _complaints(template: Any, judge: Judge | None) -> Iterator[tuple[Values, str, str]]:
    for values in probes(template):
        tree = fill(template, values)
        if isinstance(tree.get("teacher"), dict) and "seed" in tree["teacher"]:
            yield values, "teacher.seed", "unknown key; did you mean seeds?"
        recipe, found = _recipe(recipe_tree(template, values, 0, 0))
        judged = judge(recipe) if judge and recipe else ()
        meant = {_meant(path, message) for path, message in found}
        yield from ((values, path, message) for path, message in found)
        yield from ((values, path, message) for path, message in judged if path not in meant)
    for values in _few_cells(template):
        yield from ((values, path, text) for path, text in _recipe(recipe_tree(template, values, 0, 0))[1])


def _meant(path: str, message: str) -> str:
    """Return the path that a misspelt key should have had, or nothing: what it leaves open is told already."""
    word = re.search(r"did you mean (\w+)\?$", message)
    return join(path.rpartition(".")[0], word[1]) if word else ""


def _recipe(tree: dict[str, Any]) -> tuple[Recipe | None, list[Complaint]]:
    try:
        return Recipe.model_validate(tree), []
    except ValidationError as error:
        found = list(complaints(error, Recipe))
        _prune(tree, error)
    try:
        # Without its wrong leaves the rest can still be judged, so that all mistakes are told at once.
        return Recipe.model_validate(tree), found
    except ValidationError:
        return None, found


def _prune(tree: dict[str, Any], error: ValidationError) -> None:
    for wrong in error.errors():
        loc = wrong["loc"][:-1] if wrong["type"] == "missing" else wrong["loc"]
        node: Any = tree
        for part in loc[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if loc and isinstance(node, dict):  # not below a list, which belongs to the template
            node.pop(loc[-1], None)


def _few_cells(template: Any) -> Iterator[Values]:
    found = [domain for _, domain in domains(template)]
    if all(isinstance(domain, Choice) and domain is not BROKEN for domain in found) and size(template) <= TRIED:
        yield from cells(template)
