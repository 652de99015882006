"""Sections of a space beside the recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from spaces.document import Tree
from spaces.parts import Count, Natural, StrictModel, conflict_error
from spaces.search_section import Search


def _require_unique_seeds(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        repeated = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise conflict_error("", f"seed {repeated} occurs twice; expected different seeds")
    return seeds


def _refuse_several_gpus(gpus: float) -> float:
    if gpus > 1:
        raise conflict_error("", f"found {gpus:g}, expected at most 1: a student is trained on one GPU")
    return gpus


Seeds = Annotated[list[Natural], Field(min_length=1), AfterValidator(_require_unique_seeds)]


class Confirm(StrictModel):
    """Training of the best configurations with new seeds."""

    top: Count | None = Field(
        default=None, description="Configurations to train again; 3 by default, or the front of several metrics"
    )
    per: str | None = Field(
        default=None, description="Knob, such as method: so many configurations of each of its options; none by default"
    )
    seeds: Seeds = Field(description="Seeds of these students; none of them may be in seeds")
    train_on: Literal["train", "all"] = Field(
        default="train",
        description="Images of these students and their baselines: the training images, or all, with the validation "
        "images",
    )


class Baseline(StrictModel):
    """Search of the student alone, trained on labels only."""

    trials: Count = Field(
        description="Trainings of the student alone, over the searched values of train, by the search's algorithm"
    )


class Table(StrictModel):
    """Rows and columns of the result table."""

    rows: str = Field(description="Dotted path of the knob of the rows")
    columns: str = Field(description="Dotted path of the knob of the columns")


class Resources(StrictModel):
    """Resources of one worker, and the number of workers.

    On a CPU, short students of a grid share one Ray trial unless `pack` is 1.
    """

    cpus: Annotated[float, Field(gt=0)] = Field(default=1.0, description="CPU cores of one worker")
    gpus: Annotated[float, Field(ge=0), AfterValidator(_refuse_several_gpus)] | None = Field(
        default=None, description="GPUs of one worker, at most 1; by default 1 if a machine has one, else 0"
    )
    memory: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Memory of one worker in GB of 2^30 bytes, reserved on its node; none by default"
    )
    accelerator: str | None = Field(
        default=None, description="Type of the GPU in Ray's terms, such as H100; any by default"
    )
    labels: dict[str, str] | None = Field(
        default=None, description="Labels that a Ray node needs to train, by name; none by default"
    )
    workers: Count | None = Field(default=None, description="Workers; by default as many as fit")
    pack: Literal["auto"] | Count = Field(
        default="auto", description="Most students trained as one network; auto trains each alone"
    )


def _tracker_by_name(value: object) -> object:
    return {value: None} if isinstance(value, str) else value


class Sections(StrictModel):
    """Keys at the top of a space beside those of the recipe."""

    # The name becomes the name of a folder.
    name: Annotated[str, Field(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}$")] = Field(
        description="Name of the space and of its folder in runs/; by default the name of the file"
    )
    seeds: Seeds = Field(default_factory=lambda: [0], description="Seeds of the students, one student per seed")
    search: Search = Field(default=Search(), description="Algorithm, scheduler and budget of the search")
    confirm: Confirm | None = Field(
        default=None,
        description="Training of the best configurations with new seeds; by default, after algorithm auto, the winner "
        "with one",
    )
    baseline: Baseline | None = Field(
        default=None,
        description="Search of the student alone; by default it takes over the training values of the winner",
    )
    table: Table | None = Field(default=None, description="Two knobs that span the result table; no table by default")
    resources: Resources = Field(default=Resources(), description="Resources of a worker, and number of workers")
    track: Annotated[
        Tree | None,
        BeforeValidator(_tracker_by_name, json_schema_input_type=str | dict[str, str | None] | None),
    ] = Field(default=None, description="Trackers beside TensorBoard and the journal: a name, or options by name")


class TeacherSeeds(StrictModel):
    """Seeds of the teacher, written inside `teacher`."""

    seeds: Seeds = Field(default_factory=lambda: [0], description="Seeds of the teacher, one teacher per seed")
