"""Load and check a space, without torch and Ray.

Names and settings of algorithms and schedulers come from the generated schema.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from results.trackers import check_trackers
from spaces.catalogue.entries import catalogue_entries
from spaces.catalogue.signatures import catalogued_problems
from spaces.domain import Choice
from spaces.errors import LocatedProblem, Problem, file_error
from spaces.probe import RecipeValidator
from spaces.space import Space, load_space
from trainables.plugin import plugin_fingerprint


def load_checked_space(path: str | Path, settings: Sequence[str] = ()) -> Space:
    """Load a space and check its keys and values.

    `settings` are texts KEY=VALUE that replace values of the file. Raises UserError for every mistake in the file.
    """
    space = load_space(path, _recipe_validator(), settings)
    check_space(space)
    return space


def _recipe_validator() -> RecipeValidator:
    """Return the validation of recipes.

    It uses the registries if they are loaded, otherwise the schema.
    """
    if not plugin_fingerprint() and "torch" not in sys.modules:
        return catalogued_problems
    from trainables.validate import recipe_problems  # here: imports torch

    return recipe_problems


def check_space(space: Space) -> None:
    """Check scheduler, trackers and searched knobs.

    Raises one UserError that lists all problems with file and line.
    """
    check_trackers(space)
    problems = [*_scheduler_problems(space), *_adaptive_problems(space), *_domain_problems(space)]
    if problems:
        located = [LocatedProblem(space.find_line(path), path, message) for path, message in problems]
        raise file_error(space.file, located)


def _scheduler_problems(space: Space) -> Iterator[Problem]:
    """Yield a scheduler of a grid, and settings without effect.

    The scheduler must read each of its keys, the grace period must be shorter than the training, and all trainings
    equally long.
    """
    search, epochs = space.search, space.longest_training
    if search.scheduler != "none" and "train.epochs" in space.knobs:
        reason = f"scheduler {search.scheduler} compares trainings of equal length; use scheduler: none"
        yield "train.epochs", f"found a domain, expected one number: {reason}"
    if search.algorithm == "grid" and search.scheduler != "none":
        reason = "a grid trains every cell to its end; the other algorithms can stop early"
        yield "search.scheduler", f"found {search.scheduler}, expected none: {reason}"
        return
    for key in ("grace_period", "reduction"):
        schedulers = [entry.name for entry in catalogue_entries("scheduler") if key in entry.settings]
        if key in search.model_fields_set and search.scheduler not in schedulers:
            reason = f"scheduler {search.scheduler} does not use {key}; remove it or choose one of: "
            yield f"search.{key}", f"found {getattr(search, key)}, but {reason}{', '.join(schedulers)}"
        elif key == "grace_period" and key in search.model_fields_set and search.grace_period >= epochs:
            reason = f"fewer than the {epochs} epochs of a student: otherwise no student is ever stopped"
            yield "search.grace_period", f"found {search.grace_period}, expected {reason}"


def _adaptive_problems(space: Space) -> Iterator[Problem]:
    name = space.search.algorithm
    if name == "grid":
        return
    if space.search.trials is None:
        yield "search.trials", f"missing; {name} needs the number of students to try"
    if len(space.seeds) > 1:
        reason = f"{name} explores with one; put more into confirm.seeds"
        yield "seeds", f"found {len(space.seeds)} seeds, expected one: {reason}"
    if len(space.teacher_seeds) > 1:
        reason = f"{name} explores under one; vary the teacher in a grid"
        yield "teacher.seeds", f"found {len(space.teacher_seeds)} teachers, expected one: {reason}"


def _domain_problems(space: Space) -> Iterator[Problem]:
    for path, domain in space.domains:
        section = path.partition(".")[0]
        if section == "data":
            reason = "numbers on different data cannot be compared; write one space for each"
            yield path, f"data cannot be searched: {reason}"
        if section == "teacher" and not isinstance(domain, Choice):
            yield path, "a range; expected a choice, because every value is one more teacher to train"
