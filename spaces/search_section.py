"""Section `search` of a space: algorithm, scheduler and budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spaces.document import Tree
from spaces.label import Label, compact_json
from spaces.metrics import SEARCH_METRICS
from spaces.objectives import COSTS, OBJECTIVES
from spaces.parts import Count, Natural, StrictModel, conflict_error

if TYPE_CHECKING:
    Searchable = str
    Objective = str
else:
    Searchable = Literal[SEARCH_METRICS]
    Objective = Literal[OBJECTIVES]


def _refuse_test_metric(metric: object) -> object:
    if isinstance(metric, str) and metric.startswith("test"):
        reason = f"{metric} cannot be searched on, because the test accuracy of the best student would be biased"
        raise conflict_error("", f"{reason}; expected {', '.join(SEARCH_METRICS[:-1])} or {SEARCH_METRICS[-1]}")
    return metric


def _values_by_path(tree: object) -> object:
    """Return a configuration as labels by dotted path.

    A list such as [16] is the label of an option, and the `name` of a mapping that of the mapping.
    """
    return dict(_flat_items(tree, "")) if isinstance(tree, dict) else tree


def _flat_items(tree: Tree, path: str) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        inner = path if key == "name" and path else f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from _flat_items(value, inner)
        else:
            yield inner, compact_json(value) if isinstance(value, list) else value


def _check_objectives(names: list[str]) -> list[str]:
    if names[0] in COSTS:
        raise conflict_error("0", f"found {names[0]}, expected a validation metric first: it ranks the students")
    if len(set(names)) < len(names):
        raise conflict_error("", "an objective occurs twice; expected different ones")
    return names


AUTO = "auto"  # algorithm and scheduler chosen by spaces/automatic_search.py
AUTO_ALGORITHM, AUTO_SCHEDULER = "tpe", "asha"
AUTO_RULES = {
    "algorithm": f"{AUTO_ALGORITHM} with trials, otherwise grid",
    "scheduler": f"{AUTO_SCHEDULER} if algorithm is auto with trials, otherwise none",
}
NON_ADAPTIVE = ("random", "qmc")  # algorithms that ignore the students' results
SearchMetric = Annotated[Searchable, BeforeValidator(_refuse_test_metric)]
Objectives = Annotated[
    list[Annotated[Objective, BeforeValidator(_refuse_test_metric)]],
    Field(min_length=2),
    AfterValidator(_check_objectives),
]


StartPoint = Annotated[dict[str, Label], BeforeValidator(_values_by_path)]


class SizeLimit(StrictModel):
    """Largest student allowed."""

    parameters: Count | None = Field(default=None, description="Most parameters; unlimited by default")
    macs: Count | None = Field(
        default=None, description="Most multiply-accumulates for one image; unlimited by default"
    )


class Search(StrictModel):
    """Algorithm, scheduler and budget of a search."""

    algorithm: str = Field(
        default=AUTO, description=f"Algorithm that proposes values; auto is {AUTO_RULES['algorithm']}"
    )
    scheduler: str = Field(
        default=AUTO, description=f"Scheduler that stops students early; auto is {AUTO_RULES['scheduler']}"
    )
    trials: Count | None = Field(default=None, description="Students to propose; a grid has none")
    metric: SearchMetric = Field(default="val_accuracy", description="Validation metric to optimize")
    metrics: Objectives | None = Field(
        default=None, description="Two or more objectives, a validation metric first; the result is a Pareto front"
    )
    seed: Natural = Field(default=0, description="Seed of the algorithm")
    grace_period: Count = Field(default=1, description="Epochs before a student may be stopped")
    reduction: Annotated[int, Field(ge=2)] = Field(
        default=3, description="Factor between the epochs of successive halving; one in so many students goes on"
    )
    limit: SizeLimit = Field(default=SizeLimit(), description="Largest student to train; unlimited by default")
    start: Annotated[list[StartPoint], Field(min_length=1)] | None = Field(
        default=None, description="Configurations to try first, written as in a recipe; missing values are proposed"
    )
    start_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.2, description="Largest share of the trials for start"
    )
    from_: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, alias="from", description="Folders of earlier experiments that the algorithm learns from"
    )
    hours: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Hours after which no new student starts; unlimited by default"
    )

    @model_validator(mode="before")
    @classmethod
    def _rank_by_first_objective(cls, value: object) -> object:
        if not isinstance(value, dict) or not isinstance(value.get("metrics"), list):
            return value
        first = value["metrics"][:1]
        if value.get("metric", *first or [None]) not in first:
            raise conflict_error("metric", "found metric and metrics; the first of metrics ranks the students")
        return {**value, "metric": first[0]} if first and first[0] in SEARCH_METRICS else value

    @property
    def objectives(self) -> list[str]:
        """Metrics and costs to optimize, one or more."""
        return self.metrics or [self.metric]


def rung_epochs(grace_period: int, reduction: int, epochs: int) -> list[int]:
    """Return the epochs of successive halving before the last: grace_period · reduction^k."""
    rungs = []
    while grace_period < epochs:
        rungs.append(grace_period)
        grace_period *= reduction
    return rungs
