"""What a search will do before it does it: how many students, epochs, hours and megabytes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean
from time import perf_counter
from typing import NamedTuple

import torch

from search.plan import footprint
from search.plan.dummy_teacher import dummy_distillation_data
from search.students.spec import StudentSpec, cells, teacher_of
from spaces import template
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.augment import views
from trainables.batches import steps_per_epoch
from trainables.data import Dataset, Split
from trainables.distillation_data import RequestedOutputs, requested_outputs
from trainables.fit import fit
from trainables.teachers.teach import LOGITS_ALONE, known
from trainables.validate import price

STEPS = 4  # timed, after as many to warm up
PATIENCE = 2.0  # seconds, after which no more steps are timed once there are two
IMPORTS = 2.5  # seconds of a processor for importing torch and Ray; a command puts there what its own took
AROUND = 3.5  # times as long Ray takes to start, its workers to import the same, and the tables at the end
EACH = 1 / 65  # of these seconds a worker takes for a student's rows and weights on disk, and for Ray's part in it
WORK = 4 * 10**9  # multiply-accumulates of a forward pass in each timed step, at most, unless two images take more
ROOM = 2 * 10**7  # values of all layers in one timed step, likewise: deep networks of few channels wait for memory


class Plan(NamedTuple):
    """The students of each stage at most, their epochs together, and estimates of time and disk."""

    students: dict[str, int]
    teachers: int
    epochs: int
    seconds: float
    megabytes: float
    teaching: float  # seconds of these for the teachers


class Pace(NamedTuple):
    """Seconds of an epoch of a training, its validation included, and for the answer to one image."""

    epoch: float
    image: float


def plan(space: Space, data: Dataset, workers: int) -> Plan:
    """Count what a space asks for at most, and time a few steps of its first student and teacher on this machine."""
    students = Counter({"explore": 0, "baseline": 0, "confirm": 0})
    if space.search.algorithm == "grid":
        students.update(each.stage for each in grid(space, data))
    else:
        students["explore"] = space.search.trials or 0
    if space.confirm:
        students["confirm"] = space.confirm.top * len(space.confirm.seeds) * len(space.teacher_seeds)
        students["baseline"] += len(space.confirm.seeds)
    elif space.search.algorithm != "grid":
        students["baseline"] = len(space.seeds)
    total, taught = students.total(), lessons(space)
    first = space.fill(space.probes()[-1], space.seeds[0], space.teacher_seeds[0])
    own = pace(first, data, max(1, int(space.resources.cpus)))
    each = longest(space) * own.epoch + len(data.test.labels) * own.image + EACH * IMPORTS
    untaught = lessons(space, _untaught(space, data))
    asked = requested_outputs(space.fill(values, 0) for values in space.probes())
    heard = bool(untaught or (taught and asked != LOGITS_ALONE))  # by a process that imports, too
    seconds = (AROUND + heard) * IMPORTS + -(-total // workers) * each
    teaching = sum(_lecture(each, data, asked) for each in untaught)
    networks = (space.fill(values, 0).network for values in space.probes())
    largest = max(footprint.weights(each, data) for each in networks)  # as `--check` says stage by stage
    megabytes = total * largest / 2**20
    return Plan(dict(students), len(taught), total * longest(space), seconds + teaching, megabytes, teaching)


def _untaught(space: Space, data: Dataset) -> list[StudentSpec]:
    return [each for each in teachers(space) if not known(each.recipe, data)]


def _lecture(own: Recipe, data: Dataset, asked: RequestedOutputs) -> float:
    """Seconds in which a teacher is taught, by all processors, and answers every image and view."""
    own_pace = pace(own, data, os.cpu_count() or 1)
    shown = len(data.train.labels) * sum(views(policy) for policy in asked.policies)
    return own.train.epochs * own_pace.epoch + (sum(data.sizes.values()) + shown) * own_pace.image


def grid(space: Space, data: Dataset) -> list[StudentSpec]:
    """The students of a grid that are within the limits of the search."""
    return [each for each in cells(space, space.cells(), "explore", space.seeds) if fits(space, each.recipe, data)]


def fits(space: Space, recipe: Recipe, data: Dataset) -> bool:
    """Whether a student is within `search: {limit: …}`."""
    limit = space.search.limit
    if limit.parameters is None and limit.macs is None:
        return True
    found = price(recipe.network, data)
    return found.parameters <= (limit.parameters or found.parameters) and found.macs <= (limit.macs or found.macs)


def longest(space: Space) -> int:
    """The most epochs that a student of this space can have."""
    return max(space.fill(values, 0).train.epochs for values in space.probes())


def teachers(space: Space) -> list[StudentSpec]:
    """One student for each distinct teacher that those of a space can have; none where no method needs one."""
    probes = space.probes()
    if not any(space.fill(values, 0).canonical().teacher for values in probes):
        return []
    others = {path: label for path, label in probes[0].items() if path.split(".")[0] != "teacher"}
    pupils = (
        StudentSpec("explore", space.fill({**others, **own}, space.seeds[0], seed), {**others, **own})
        for own in template.cells(space.template.get("teacher", {}), "teacher")
        for seed in space.teacher_seeds
    )
    return list({teacher_of(each.recipe): each for each in pupils}.values())


def lessons(space: Space, students: Sequence[StudentSpec] | None = None) -> list[Recipe]:
    """The recipes by which the teachers of a space, or of some of its students, are taught, and all behind them."""
    listening = teachers(space) if students is None else students
    found = {each.key(): each for student in listening for each in _behind(student.recipe)}
    return list(found.values())


def _behind(recipe: Recipe) -> Iterator[Recipe]:
    for each in recipe.teacher_recipes():
        yield from _behind(each)
        yield each


def pace(recipe: Recipe, data: Dataset, threads: int = 1) -> Pace:
    """Time a few steps of a training on random images of the right shape; nothing is kept.

    What fails here will fail as a student, which says so in its rows; the baseline is timed in its place.
    """
    whole = min(recipe.train.batch_size, len(data.train.labels))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        size = min(whole, _at_once(recipe, data))
        step, image = _steps(recipe, data, size)
    except Exception:
        return pace(recipe.baseline(), data, threads) if recipe.teacher else Pace(0.0, 0.0)
    finally:
        torch.set_num_threads(before)
    steps = steps_per_epoch(recipe.train, len(data.train.labels))
    return Pace(step * whole / size * steps + len(data.val.labels) * image, image)


def _at_once(recipe: Recipe, data: Dataset) -> int:
    """How many images a timed step takes at most."""
    values = sum(footprint.layers(footprint.outline(recipe.network, data), data))
    return max(2, min(WORK // max(1, price(recipe.network, data).macs), ROOM // values))


def _steps(recipe: Recipe, data: Dataset, size: int) -> tuple[float, float]:
    """Seconds of a step on so many random images, and of the answer to one, each the mean of the later half."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (size, *data.shape), dtype=torch.uint8, generator=generator).numpy()
    split = Split(images, torch.zeros(size, dtype=torch.int64).numpy())
    small = data._replace(train=split, val=split, test=split)
    # a learning rate that is to be searched may be one at which a student diverges at once
    alone = {"epochs": 2 * STEPS, "lr": 1e-6, "head_first": None, "batch_size": size}
    short = recipe.model_copy(update={"train": recipe.train.model_copy(update=alone)})
    steps: list[float] = []
    answers: list[float] = []
    last = began = perf_counter()
    for epoch in fit(short, dummy_distillation_data(recipe, small)):  # each is one step
        now = perf_counter()
        steps.append(epoch.seconds)
        answers.append(now - last - epoch.seconds)
        last = now
        if len(steps) > 1 and now - began > PATIENCE:
            break
    half = len(steps) // 2
    return fmean(steps[half:]), fmean(answers[half:]) / size


def local_workers(space: Space) -> int:
    """How many students this machine trains at once."""
    return concurrency(space, os.cpu_count() or 1, torch.cuda.device_count())


def concurrency(space: Space, cpus: float, gpus: float) -> int:
    """How many students are trained at once by so many processors and GPUs together."""
    want = space.resources
    fits = cpus // want.cpus
    if want.gpus:
        fits = min(fits, gpus // want.gpus)
    return max(1, int(min(fits, want.workers or fits)))
