"""Space: a recipe with domains, and the settings of its search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from spaces import template
from spaces.document import Document, Tree, dump_yaml, find_space_file, read_document
from spaces.domain import Choice, Domain, Node
from spaces.errors import LocatedProblem, UserError, did_you_mean, file_error
from spaces.fallback import FALLBACK_KEY, merge_fallback, without_fallback
from spaces.label import Label
from spaces.overrides import set_values
from spaces.precision import resolve_precision
from spaces.probe import RecipeValidator
from spaces.pydantic_errors import validation_problems
from spaces.recipe import Recipe
from spaces.renamed_keys import require_current_keys, update_renamed_keys
from spaces.search_section import Search
from spaces.sections import Baseline, Confirm, Resources, Table
from spaces.smoke import shrink_tree
from spaces.template import SuggestLabel, Values
from spaces.validation import ParsedSpace, fallback_problems, line_of, parse_space


@dataclass(frozen=True)
class Space:
    """Content of one space file.

    `template` is the recipe as a tree, with domains for the searched values.
    """

    file: str = field(compare=False)
    name: str
    seeds: list[int]
    teacher_seeds: list[int]
    search: Search
    confirm: Confirm | None
    baseline: Baseline | None
    table: Table | None
    resources: Resources
    track: Tree | None
    template: dict[str, Node]
    document: Document = field(compare=False, repr=False)

    @cached_property
    def knobs(self) -> list[str]:
        """Return the dotted paths of all searched values, in file order."""
        return list(dict(self.domains))

    @cached_property
    def domains(self) -> list[tuple[str, Domain]]:
        """Return every domain with its dotted path, in file order.

        A path occurs once per option that holds it.
        """
        return list(template.find_domains(self.template))

    @cached_property
    def methods(self) -> list[str]:
        """Return the names of the methods of all students."""
        return list(dict.fromkeys(self.fill(values, self.seeds[0]).method.name for values in self.probes()))

    @cached_property
    def longest_training(self) -> int:
        """Return the largest number of epochs of any student."""
        return max(self.fill(values, self.seeds[0]).train.epochs for values in self.probes())

    @property
    def trains_on_all(self) -> bool:
        """True if confirmed students train on the validation images, too."""
        return self.confirm is not None and self.confirm.train_on == "all"

    def fill(self, values: Values, seed: int, teacher_seed: int = 0) -> Recipe:
        """Return the recipe with these values.

        Raises UserError for a missing value, an unknown path, or a value outside its domain.
        """
        for path in values:
            if path not in self.knobs:
                message = f"{path} is not a knob of this space{did_you_mean(path, self.knobs)}"
                raise UserError(f"{self.file}: {message}")
        try:
            return Recipe.model_validate(template.recipe_tree(self.template, values, seed, teacher_seed))
        except KeyError as error:
            raise self.error(error.args[0], "no value was given for this knob") from None
        except ValidationError as error:
            problems = validation_problems(error, Recipe)
            located = [LocatedProblem(self.find_line(path, values), path, text) for path, text in problems]
            raise file_error(self.file, located) from None
        except ValueError as error:
            raise UserError(f"{self.file}: {error}") from None

    def normalize_labels(self, values: Values) -> Values:
        """Return values with the present labels of their options.

        Rows may have labels of the time when an option was the only one of its name.
        """
        return {path: self._present_label(path, label) for path, label in values.items()}

    def _present_label(self, path: str, label: Label) -> Label:
        domains = self._renamed_choices.get(path, ())
        return next((domain.normalize(label) for domain in domains if domain.has_label(label)), label)

    @cached_property
    def _renamed_choices(self) -> dict[str, list[Choice]]:
        """Return the choices with aliases, by dotted path."""
        choices: dict[str, list[Choice]] = {}
        for path, domain in self.domains:
            if isinstance(domain, Choice) and domain.aliases:
                choices.setdefault(path, []).append(domain)
        return choices

    def sample_values(self, suggest: SuggestLabel) -> Values:
        """Return one value per active domain, drawn by suggest(path, domain)."""
        return template.sample_values(self.template, suggest)

    def cells(self) -> list[Values]:
        """Return every combination of options.

        The first key of the file varies slowest.

        Raises UserError if the space has a range.
        """
        try:
            return list(template.iterate_cells(self.template))
        except ValueError as error:
            raise UserError(f"{self.file}: {error}") from None

    def probes(self) -> list[Values]:
        """Return values with every option and both ends of every range."""
        return template.probe_values(self.template)

    def find_line(self, path: str, values: Values | None = None) -> int:
        """Return the line of a dotted path, or of its nearest parent.

        `values` select the options in which the path is looked up.
        """
        return line_of(self.document, self.template, path, values)

    def error(self, path: str, message: str, values: Values | None = None) -> UserError:
        """Return the error "file:line: path: message"."""
        return file_error(self.file, [LocatedProblem(self.find_line(path, values), path, message)])

    def dump(self) -> str:
        """Return the YAML of this space, without its fallback."""
        return dump_yaml({"name": self.name, **without_fallback(self.document).tree})

    def shrink(self) -> Space:
        """Return a space for a smoke test; see smoke.shrink_tree."""
        return self._with_tree(shrink_tree(without_fallback(self.document).tree))

    def fallback_space(self) -> Space | None:
        """Return the space merged with its fallback, None without a fallback."""
        if FALLBACK_KEY not in self.document.tree:
            return None
        return _parsed_space(merge_fallback(self.document), self.name)

    def with_precision(self, precision: str) -> Space:
        """Return the space with precision "auto" replaced for student and teacher."""
        return self._with_tree(resolve_precision(self.document.tree, precision))

    def with_gpus(self, nodes: Sequence[tuple[float, float]]) -> Space:
        """Return the space with `resources.gpus` set.

        It is 1 if a node has a GPU, else 0; a value in the file is unchanged. `nodes` are pairs of CPUs and GPUs.
        """
        if self.resources.gpus is not None:
            return self
        gpus = {"gpus": int(any(node_gpus >= 1 for _, node_gpus in nodes))}
        resources = {**gpus, **(self.document.tree.get("resources") or {})}
        return self._with_tree({**self.document.tree, "resources": resources})

    def _with_tree(self, tree: Tree) -> Space:
        return _parsed_space(Document(self.file, tree, self.document.lines), self.name)


def load_space(path: str | Path, validate: RecipeValidator | None = None, settings: Sequence[str] = ()) -> Space:
    """Read and validate a space.

    `path` may be the name of a shipped space. `settings` are texts KEY=VALUE that replace values of the file.
    `validate(recipe)` yields further problems of a recipe, as pairs of a dotted path and a message.
    Raises one UserError that lists all problems with file, line and path.
    """
    file = find_space_file(path)
    document, problems = update_renamed_keys(set_values(read_document(file), settings))
    name = file.stem
    parsed, found_problems = parse_space(document, name, validate)
    problems += found_problems
    if FALLBACK_KEY in document.tree:
        problems += fallback_problems(document, parsed.sections.name, validate, problems)
    if problems:
        raise file_error(document.file, problems)
    return _make_space(document, parsed)


def load_recorded_space(path: str | Path) -> Space:
    """Read the space of an experiment folder.

    Raises UserError in one line if an earlier version recorded it with keys since renamed.
    """
    require_current_keys(read_document(path))
    return load_space(path)


def _parsed_space(document: Document, name: str) -> Space:
    return _make_space(document, parse_space(document, name)[0])


def _make_space(document: Document, parsed: ParsedSpace) -> Space:
    sections = parsed.sections
    return Space(
        file=document.file,
        name=sections.name,
        seeds=sections.seeds,
        teacher_seeds=parsed.teacher_seeds,
        search=sections.search,
        confirm=sections.confirm,
        baseline=sections.baseline,
        table=sections.table,
        resources=sections.resources,
        track=sections.track,
        template=parsed.template,
        document=document,
    )
