"""What `--check` says beyond the plan: the loss, whether each knob reaches it, and what each stage takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from results import wording
from search.plan import footprint, inert_knobs
from search.plan.estimate import Plan, lessons, longest
from search.trials.grouping import widest
from spaces.space import Space
from trainables import augment
from trainables.data import Dataset
from trainables.distillation_data import requested_outputs
from trainables.methods import formula

MB = 2**20


class Stage(NamedTuple):
    """A stage of a search: how many are trained, how long it takes, its tensors in memory at once and on disk."""

    name: str
    trained: int
    epochs: int
    seconds: float
    memory: int  # bytes
    disk: int  # bytes


def stages(space: Space, data: Dataset, counted: Plan, workers: int) -> Iterator[Stage]:
    """The stages in their order, those with nobody in them left out; of sizes that are searched the largest counts."""
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    taught, asked = lessons(space), requested_outputs(recipes)
    if taught:
        epochs = sum(each.train.epochs for each in taught)
        held = max(footprint.memory(each, data) for each in taught)
        networks = [each.network for each in taught]
        kept = sum(footprint.weights(each, data) + footprint.answers(each, data, asked) for each in networks)
        yield Stage("teachers", len(taught), epochs, counted.teaching, held, kept)
    memory = max(footprint.memory(each, data) for each in recipes)
    weights = max(footprint.weights(each.network, data) for each in recipes)
    at_once = workers * widest(space, data, workers)
    total, learning = sum(counted.students.values()), counted.seconds - counted.teaching
    for name, n in counted.students.items():
        if n:
            held = memory * min(n, at_once)
            yield Stage(name, n, n * longest(space), learning * n / total, held, weights * n)


def lines(space: Space, data: Dataset, counted: Plan, workers: int) -> Iterator[str]:
    """The preview as lines of text; a UserError where a student cannot be trained."""
    most = widest(space, data, workers)
    at_once = min(workers * most, sum(counted.students.values()))
    yield from _table(list(stages(space, data, counted, workers)), at_once)
    yield from _views(space, data)
    if most > 1:
        yield f"  packs     up to {most:,} students at a time are trained as one where they differ in numbers alone"
    methods = [space.fill(values, 0).method.name for values in space.probes()]
    for name in dict.fromkeys(methods):
        yield f"  loss      {name}: {formula(name)}"
    yield from _knobs(list(inert_knobs.findings(space, data)))


def _table(found: list[Stage], students: int) -> Iterator[str]:
    yield f"  {'stage':<10}{'trained':>8}{'epochs':>8}  {'time':<16}{'memory':>9}{'disk':>9}"
    for each in found:
        sizes = "".join(f"{max(1, round(size / MB)):>6,} MB" for size in (each.memory, each.disk))
        duration = f"about {wording.duration(each.seconds)}"
        yield f"  {each.name:<10}{each.trained:>8,}{each.epochs:>8,}  {duration:<16}{sizes}"
    yield (
        f"            memory: the tensors of {students} at once, beside some 400 MB of libraries in each process; "
        "disk: weights and answers"
    )


def _views(space: Space, data: Dataset) -> Iterator[str]:
    """What the answers of a teacher to all views of the images take, of all policies together."""
    asked = requested_outputs([space.fill(values, space.seeds[0]) for values in space.probes()])
    if asked.policies:
        shown = sum(map(augment.views, asked.policies))
        size = max(1, round(sum(footprint.of_views(policy, data) for policy in asked.policies) / MB))
        images = f"{shown:,} of each of {len(data.train.labels):,} images"
        yield f"  views     {images}: a teacher's answers to them take {size:,} MB"


def _knobs(found: list[inert_knobs.Finding]) -> Iterator[str]:
    alive = [each for each in found if each.alive]
    if alive:
        yield f"  knobs     each of these changes what is learnt: {', '.join(each.path for each in alive)}"
    yield from (f"            {each.path}: not everywhere: {each.reason}" for each in alive if each.reason)
    for each in found:
        if not each.alive:
            reason = f": {each.reason}" if each.reason else ""
            yield f"  inert     {each.path}: {each.values[0]} or {each.values[1]}, the same is learnt{reason}"
