"""A recipe with holes, and how to search it: a space. Mistakes in the file are found here, before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spaces import merge, probe, smoke, template
from spaces.document import Document, line, read, write
from spaces.domain import Domain
from spaces.errors import Mistake, UserError, nearest, report
from spaces.label import show
from spaces.probe import Judge
from spaces.pydantic_errors import complaints as explained
from spaces.recipe import Recipe
from spaces.sections import Confirm, Resources, Search, Sections, Table, TeacherSeeds, Track, complaints
from spaces.template import Parser, Suggest, Values

PARTS = ("data", "teacher", "student", "method", "train")
KEYS = (*PARTS, *Sections.model_fields)


@dataclass(frozen=True)
class Space:
    """What to search, from one file; `template` is the recipe with domains in its holes."""

    file: str = field(compare=False)
    name: str
    seeds: list[int]
    teacher_seeds: list[int]
    search: Search
    confirm: Confirm | None
    table: Table | None
    resources: Resources
    track: Track | None
    template: dict[str, Any]
    document: Document = field(compare=False, repr=False)

    @cached_property
    def knobs(self) -> list[str]:
        """The dotted paths of all holes, in the order of the file."""
        return list(dict(self.domains))

    @cached_property
    def domains(self) -> list[tuple[str, Domain]]:
        """Every hole with its dotted path, in the order of the file; one path may stand in several options."""
        return list(template.domains(self.template))

    def fill(self, values: Values, seed: int, teacher_seed: int = 0) -> Recipe:
        """Return the recipe with these values; raise UserError where one is missing, unknown or outside its domain."""
        known = self.knobs
        for path in values:
            if path not in known:
                raise UserError(f"{self.file}: {path} is not a knob of this space{nearest(path, known)}")
        try:
            return Recipe.model_validate(probe.recipe_tree(self.template, values, seed, teacher_seed))
        except KeyError as error:
            raise self.error(error.args[0], "no value was given for this knob") from None
        except ValidationError as error:
            found = explained(error, Recipe)
            raise report(self.file, [Mistake(self.line(path, values), path, text) for path, text in found]) from None
        except ValueError as error:
            raise UserError(f"{self.file}: {error}") from None

    def ask(self, suggest: Suggest) -> Values:
        """Return values for the holes met on a walk that calls suggest(path, domain) and enters the chosen options."""
        return template.ask(self.template, suggest)

    def cells(self) -> list[Values]:
        """Return every combination of options, the first knob of the file varying slowest; ranges have none."""
        try:
            return list(template.cells(self.template))
        except ValueError as error:
            raise UserError(f"{self.file}: {error}") from None

    def probes(self) -> list[Values]:
        """Return values in which every option of every choice, and both ends of every range, occur at least once."""
        return template.probes(self.template)

    def line(self, path: str, values: Values | None = None) -> int:
        """Return the line of a dotted path, inside the options that the values choose, or of its nearest parent."""
        recipe = path.partition(".")[0] in PARTS
        return line(self.document.lines, template.locate(self.template, path, values or {}) if recipe else path)

    def error(self, path: str, message: str, values: Values | None = None) -> UserError:
        """Return the error "file:line: path: message" for the caller to raise."""
        return report(self.file, [Mistake(self.line(path, values), path, message)])

    def dump(self) -> str:
        """Return the YAML of this space as it is run: named, and without its `fallback`."""
        return write({"name": self.name, **_without_fallback(self.document).tree})

    def shrunk(self) -> Space:
        """Return the space made small enough for a smoke test: an epoch, a seed, two trials, two options a choice."""
        tree = smoke.shrunk(_without_fallback(self.document).tree)
        return _draft(Document(self.file, tree, self.document.lines), self.name, None)[0]

    def fallback(self) -> Space | None:
        """Return the space with its `fallback` merged in, or None where there is none."""
        if "fallback" not in self.document.tree:
            return None
        return _draft(merge.fallback(self.document), self.name, None)[0]

    def resolved(self, precision: str) -> Space:
        """Return the space with precision "auto" replaced, in the teacher too."""
        return self._with(merge.with_precision(self.document.tree, precision))

    def on(self, nodes: Sequence[tuple[float, float]]) -> Space:
        """Return the space with its GPUs settled by what each machine has, given as (processors, GPUs)."""
        if self.resources.gpus is not None:
            return self
        given = {"gpus": int(any(gpus >= 1 for _, gpus in nodes)), **(self.document.tree.get("resources") or {})}
        return self._with({**self.document.tree, "resources": given})

    def _with(self, tree: dict[str, Any]) -> Space:
        return _draft(Document(self.file, tree, self.document.lines), self.name, None)[0]


def load(path: str | Path, judge: Judge | None = None) -> Space:
    """Read and check a space; raise one UserError that names every mistake with file, line, path and right word.

    `judge(recipe)` may say more about a recipe than its schema can, as pairs of a dotted path and a message.
    """
    document = read(path)
    space, mistakes = _draft(document, Path(path).stem, judge)
    if "fallback" in document.tree:
        mistakes += _fallback_mistakes(document, space.name, judge, mistakes)
    if mistakes:
        raise report(document.file, mistakes)
    return space


def _draft(document: Document, name: str, judge: Judge | None) -> tuple[Space, list[Mistake]]:
    tree, lines = {"name": name, **_without_fallback(document).tree}, document.lines
    wrong = [(key, f"unknown key{nearest(key, (*KEYS, 'fallback'))}") for key in tree if key not in KEYS]
    sections, unfit = _valid(Sections, {key: item for key, item in tree.items() if key in Sections.model_fields})
    parts = {key: item for key, item in tree.items() if key in PARTS}
    seeds, bad_seeds = _valid(TeacherSeeds, _take_seeds(parts))
    parser = Parser(lines)
    holed = parser.tree(parts)
    # Under a misspelt key a part has its defaults, whose knobs are nobody's mistake.
    found = [*parser.mistakes, *probe.mistakes(holed, lines, parser.broken, None if wrong else judge)]
    if not wrong:
        broken = {path.partition(".")[0] for path, _ in unfit} | ({"knobs"} if found else set())
        told = {mistake.path for mistake in found}
        wrong += [complaint for complaint in complaints(sections, holed, broken) if complaint[0] not in told]
    wrong += [*unfit, *((f"teacher.{path}", message) for path, message in bad_seeds)]
    space = _space(document, sections, seeds.seeds, holed)
    return space, found + [Mistake(space.line(path), path, message) for path, message in wrong]


def _space(document: Document, sections: Sections, teacher_seeds: list[int], holed: dict[str, Any]) -> Space:
    return Space(
        file=document.file,
        name=sections.name,
        seeds=sections.seeds,
        teacher_seeds=teacher_seeds,
        search=sections.search,
        confirm=sections.confirm,
        table=sections.table,
        resources=sections.resources,
        track=sections.track,
        template=holed,
        document=document,
    )


def _valid(model: type[Any], tree: dict[str, Any]) -> tuple[Any, list[tuple[str, str]]]:
    try:
        return model.model_validate(tree), []
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors()}
        # What is left is checked all the same, so that all mistakes are told at once.
        rest = {"name": "space"} if "name" in wrong else {}
        rest |= {key: item for key, item in tree.items() if key not in wrong}
        return model.model_validate(rest), list(explained(error, model))


def _take_seeds(parts: dict[str, Any]) -> dict[str, Any]:
    teacher = parts.get("teacher")
    if not isinstance(teacher, dict) or "seeds" not in teacher:
        return {}
    parts["teacher"] = {key: item for key, item in teacher.items() if key != "seeds"}
    return {"seeds": teacher["seeds"]}


def _fallback_mistakes(document: Document, name: str, judge: Judge | None, known: list[Mistake]) -> list[Mistake]:
    block = document.tree["fallback"]
    if not isinstance(block, dict):
        return [Mistake(document.lines["fallback"], "fallback", f"found {show(block)}, expected a mapping")]
    if "fallback" in block:
        return [Mistake(document.lines["fallback.fallback"], "fallback.otherwise", "unknown key; one block is enough")]
    mistakes = _draft(merge.fallback(document), name, judge)[1]
    return [merge.located(mistake, document) for mistake in mistakes if mistake not in known]


def _without_fallback(document: Document) -> Document:
    tree = {key: item for key, item in document.tree.items() if key != "fallback"}
    return Document(document.file, tree, document.lines)
