"""Validation of a space before anything is trained."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from spaces.automatic_search import resolve_confirm, resolve_search
from spaces.document import Document, Tree, find_line
from spaces.domain import Node
from spaces.errors import LocatedProblem, Problem
from spaces.fallback import FALLBACK_KEY, locate_in_fallback, merge_fallback, without_fallback
from spaces.label import describe_value
from spaces.parser import TemplateParser
from spaces.parts import StrictModel, fields_by_key
from spaces.probe import RecipeValidator, probe_problems
from spaces.pydantic_errors import validation_problems
from spaces.search_section import Search
from spaces.section_rules import section_problems
from spaces.sections import Confirm, Resources, Sections, TeacherSeeds
from spaces.template import Values, source_path
from spaces.training import Train
from spaces.unknown_key import unknown_key

RECIPE_KEYS = ("data", "teacher", "student", "method", "train")
SPACE_KEYS = (*RECIPE_KEYS, *Sections.model_fields)
# Keys that are often written at the top of the file by mistake.
SECTION_KEYS = {
    "train": list(fields_by_key(Train)),
    "search": list(fields_by_key(Search)),
    "resources": list(fields_by_key(Resources)),
    "confirm": list(fields_by_key(Confirm)),
}

AnyModel = TypeVar("AnyModel", bound=StrictModel)


class ParsedSpace(NamedTuple):
    """Content of a document: its sections, teacher seeds and template."""

    sections: Sections
    teacher_seeds: list[int]
    template: dict[str, Node]


def parse_space(
    document: Document, name: str, validate: RecipeValidator | None = None
) -> tuple[ParsedSpace, list[LocatedProblem]]:
    """Return the content of a document without its fallback, and all problems.

    `name` is the default name of the space. `validate(recipe)` yields further problems of a recipe.
    """
    tree, lines = {"name": name, **without_fallback(document).tree}, document.lines
    keys = (*SPACE_KEYS, FALLBACK_KEY)
    unknown = [(key, unknown_key(key, keys, SECTION_KEYS)) for key in tree if key not in SPACE_KEYS]
    section_tree = {key: item for key, item in tree.items() if key in Sections.model_fields}
    sections, invalid_sections = _validate(Sections, section_tree)
    recipe_tree = {key: item for key, item in tree.items() if key in RECIPE_KEYS}
    seeds, invalid_seeds = _validate(TeacherSeeds, _take_teacher_seeds(recipe_tree))
    parser = TemplateParser(lines)
    template = parser.parse(recipe_tree)
    search = resolve_search(sections.search, template)
    confirm = resolve_confirm(sections, search)
    sections = sections.model_copy(update={"search": search, "confirm": confirm})
    # A part with a misspelled key has its defaults, and their knobs are not to be validated.
    probed = probe_problems(template, lines, parser.broken_paths, None if unknown else validate)
    located = [*parser.problems, *probed]
    problems: list[Problem] = list(unknown)
    if not unknown:
        broken = {path.partition(".")[0] for path, _ in invalid_sections} | ({"knobs"} if located else set())
        reported = {problem.path for problem in located}
        problems += [item for item in section_problems(sections, template, broken) if item[0] not in reported]
    problems += [*invalid_sections, *((f"teacher.{path}", message) for path, message in invalid_seeds)]
    located += [LocatedProblem(line_of(document, template, path), path, message) for path, message in problems]
    return ParsedSpace(sections, seeds.seeds, template), located


def fallback_problems(
    document: Document, name: str, validate: RecipeValidator | None, reported: list[LocatedProblem]
) -> list[LocatedProblem]:
    """Return the problems of the fallback and of the merged space.

    Problems already `reported` are left out.
    """
    block = document.tree[FALLBACK_KEY]
    if not isinstance(block, dict):
        message = f"found {describe_value(block)}, expected a mapping"
        return [LocatedProblem(document.lines[FALLBACK_KEY], FALLBACK_KEY, message)]
    if FALLBACK_KEY in block:
        path = f"{FALLBACK_KEY}.{FALLBACK_KEY}"
        return [LocatedProblem(document.lines[path], path, "unknown key; one fallback is enough")]
    problems = parse_space(merge_fallback(document), name, validate)[1]
    return [locate_in_fallback(problem, document) for problem in problems if problem not in reported]


def line_of(document: Document, template: Node, path: str, values: Values | None = None) -> int:
    """Return the line of a dotted path, or of its nearest parent.

    `values` select the options in which a path of the recipe is looked up.
    """
    in_recipe = path.partition(".")[0] in RECIPE_KEYS
    return find_line(document.lines, source_path(template, path, values or {}) if in_recipe else path)


def _validate(model: type[AnyModel], tree: Tree) -> tuple[AnyModel, list[Problem]]:
    try:
        return model.model_validate(tree), []
    except ValidationError as error:
        invalid = {str(problem["loc"][0]) for problem in error.errors()}
        # The remaining keys are validated too, so that all problems are reported at once.
        rest: Tree = {"name": "space"} if "name" in invalid else {}
        rest |= {key: item for key, item in tree.items() if key not in invalid}
        return model.model_validate(rest), list(validation_problems(error, model, searchable=False))


def _take_teacher_seeds(recipe_tree: Tree) -> Tree:
    """Remove the seeds from the teacher, and return them as a tree."""
    teacher = recipe_tree.get("teacher")
    if not isinstance(teacher, dict) or "seeds" not in teacher:
        return {}
    recipe_tree["teacher"] = {key: item for key, item in teacher.items() if key != "seeds"}
    return {"seeds": teacher["seeds"]}
