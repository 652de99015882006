"""The parts of a space beside the recipe: seeds, search, confirm, table, resources; and the rules between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from spaces.domain import Choice
from spaces.errors import Complaint, nearest
from spaces.recipe import Count, Natural, Part, conflict
from spaces.template import domains, size

LARGEST_GRID = 100_000  # cells
Searchable = Literal["val_accuracy", "val_loss", "val_macro_f1", "val_auc"]
METRICS: tuple[str, ...] = get_args(Searchable)  # what may be searched on


def _unique(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        repeated = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise conflict("", f"seed {repeated} stands there twice; expected different seeds")
    return seeds


def _searchable(metric: Any) -> Any:
    if isinstance(metric, str) and metric.startswith("test"):
        reason = f"{metric} cannot be searched on: the test set is only shown, or its numbers would flatter the winner"
        raise conflict("", f"{reason}; expected {', '.join(METRICS[:-1])} or {METRICS[-1]}")
    return metric


Seeds = Annotated[list[Natural], Field(min_length=1), AfterValidator(_unique)]
Metric = Annotated[Searchable, BeforeValidator(_searchable)]


class Limit(Part):
    """The largest student allowed, in parameters and multiply-accumulates."""

    parameters: Count | None = None
    macs: Count | None = None


class Search(Part):
    """How values are proposed; `grace_period` is the epochs before a student may be stopped, `hours` the time for it all."""

    algorithm: str = "grid"
    scheduler: str = "none"
    trials: Count | None = None
    metric: Metric = "val_accuracy"
    seed: Natural = 0
    grace_period: Count = 1
    reduction: Annotated[int, Field(ge=2)] = 3
    limit: Limit = Limit()
    hours: Annotated[float, Field(gt=0)] | None = None


class Confirm(Part):
    """The best `top` students again, at full budget, with fresh seeds."""

    top: Count = 3
    seeds: Seeds


class Table(Part):
    """Which two knobs the table shows, as dotted paths."""

    rows: str
    columns: str


class Resources(Part):
    """What one worker may use; `workers` is how many there are, as many as fit where it is not given.

    `gpus` is a whole GPU where a machine has one, 0 where none has, unless it is given. `pack` is how many students
    that are alike a worker trains as one at most: with `auto`, one on a processor, and as many as fill a GPU. On a
    processor brief ones of a grid take turns in one Ray trial, unless 1 gives each its own.
    """

    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    workers: Count | None = None
    pack: Literal["auto"] | Count = "auto"


class Track(Part):
    """Who else is told of a search: `mlflow` is a tracking URI, MLflow's own default where only its name is written."""

    mlflow: str | None = None


def _by_name(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if given not in Track.model_fields:
        raise conflict("", f"unknown tracker {given}{nearest(given, Track.model_fields)}")
    return {given: None}


class Sections(Part):
    """Everything at the top level of a file that is not part of the recipe."""

    # The name becomes a folder.
    name: Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}$")]
    seeds: Seeds = Field(default_factory=lambda: [0])
    search: Search = Search()
    confirm: Confirm | None = None
    table: Table | None = None
    resources: Resources = Resources()
    track: Annotated[
        Track | None, BeforeValidator(_by_name, json_schema_input_type=Literal["mlflow"] | Track | None)
    ] = None


class TeacherSeeds(Part):
    """The seeds a teacher is trained with; written inside `teacher`, as if they were part of it."""

    seeds: Seeds = Field(default_factory=lambda: [0])


def complaints(sections: Sections, template: Any, broken: Iterable[str]) -> Iterator[Complaint]:
    """Yield what does not go together; a rule about a section that is `broken` itself is left out."""
    faulty = set(broken)
    for needed, rule in _RULES:
        if not faulty & needed:
            yield from rule(sections, template)


def _trials(sections: Sections, template: Any) -> Iterator[Complaint]:
    search = sections.search
    if search.algorithm == "grid" and search.trials is not None:
        yield "search.trials", "a grid has as many trials as cells; remove trials or name another algorithm"
    if search.algorithm == "grid" and search.hours is not None:
        yield "search.hours", "a grid trains every cell, however long it takes; remove hours or name another algorithm"
    if search.algorithm != "grid" and not any(domains(template)):
        yield "search.algorithm", "there is nothing to search: no value in this file is a domain"


def _only_choices(sections: Sections, template: Any) -> Iterator[Complaint]:
    if sections.search.algorithm != "grid":
        return
    ranges = list(dict.fromkeys(path for path, domain in domains(template) if not isinstance(domain, Choice)))
    if ranges:
        others = f" (so does {', '.join(ranges[1:])})" if ranges[1:] else ""
        advice = "a grid takes only choice: [...]; for a range write search: {algorithm: random, trials: 30}"
        yield ranges[0], advice + others
    if not ranges and size(template) > LARGEST_GRID:
        yield "search.algorithm", f"a grid of {size(template)} cells; expected at most {LARGEST_GRID}"


def _whole_table(sections: Sections, template: Any) -> Iterator[Complaint]:
    search = sections.search
    if search.algorithm == "grid" and sections.table and search.scheduler != "none":
        reason = "a cell that was stopped early is missing for a reason, so the table would mislead"
        yield "search.scheduler", f"found {search.scheduler}, expected none for a grid with a table: {reason}"


def _fresh_seeds(sections: Sections, template: Any) -> Iterator[Complaint]:
    used = sorted(set(sections.seeds) & set(sections.confirm.seeds)) if sections.confirm else []
    if used:
        yield "confirm.seeds", f"seed {used[0]} was already explored with; expected seeds that are not in seeds"


def _axes(sections: Sections, template: Any) -> Iterator[Complaint]:
    if sections.table is None:
        return
    known, table = list(dict.fromkeys(path for path, _ in domains(template))), sections.table
    for side, path in (("rows", table.rows), ("columns", table.columns)):
        if path not in known:
            yield f"table.{side}", f"{path} is not a knob of this space{nearest(path, known)}"
    if table.rows == table.columns:
        yield "table.columns", f"rows and columns are both {table.rows}; expected two knobs"


_RULES = (
    ({"search"}, _trials),
    ({"search"}, _only_choices),
    ({"search", "table"}, _whole_table),
    ({"confirm", "seeds"}, _fresh_seeds),
    ({"table", "knobs"}, _axes),
)


def rungs(grace_period: int, reduction: int, epochs: int) -> list[int]:
    """Return the epochs before the last at which successive halving looks: grace, grace · reduction, …"""
    found = []
    while grace_period < epochs:
        found.append(grace_period)
        grace_period *= reduction
    return found
