"""Preview of `--check`: cost per stage, loss and effect of knobs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from results import wording
from search.plan import footprint, inert_knobs
from search.plan.estimate import Plan
from search.plan.formulas import loss_formulas
from search.students.candidates import all_teacher_recipes, students_per_teacher
from search.trials.grouping import max_pack_size
from spaces.space import Space
from trainables import augment
from trainables.data import Dataset
from trainables.distillation_data import requested_outputs

BYTES_PER_MB = 2**20
LINE_WIDTH = 80


class StagePreview(NamedTuple):
    """Cost of one stage."""

    name: str
    trained: int  # students or teachers
    epochs: int
    seconds: float
    memory: int  # bytes of the tensors of all that train at the same time
    disk: int  # bytes


def stage_previews(space: Space, data: Dataset, plan: Plan, workers: int) -> Iterator[StagePreview]:
    """Yield the stages in order, without empty ones.

    Of searched sizes the largest counts.
    """
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    teachers, outputs = all_teacher_recipes(students_per_teacher(space)), requested_outputs(recipes)
    if teachers:
        epochs = sum(teacher.train.epochs for teacher in teachers)
        memory = max(footprint.training_bytes(teacher, data) for teacher in teachers)
        networks = [teacher.network for teacher in teachers]
        disk = sum(
            footprint.weights_bytes(network, data) + footprint.outputs_bytes(network, data, outputs)
            for network in networks
        )
        yield StagePreview("teachers", len(teachers), epochs, plan.teacher_seconds, memory, disk)
    memory = max(footprint.training_bytes(recipe, data) for recipe in recipes)
    weights = max(footprint.weights_bytes(recipe.network, data) for recipe in recipes)
    at_once = workers * max_pack_size(space, workers)
    for name, students in plan.students.items():
        if students:
            epochs, stage_memory = plan.stage_epochs[name], memory * min(students, at_once)
            stage_seconds = plan.epoch_seconds * epochs
            yield StagePreview(name, students, epochs, stage_seconds, stage_memory, weights * students)


def preview_lines(space: Space, data: Dataset, plan: Plan, workers: int) -> Iterator[str]:
    """Yield the preview as lines of text.

    Raises UserError if a student cannot be trained.
    """
    pack_size = max_pack_size(space, workers)
    at_once = min(workers * pack_size, sum(plan.students.values()))
    yield from _stage_table(list(stage_previews(space, data, plan, workers)), at_once)
    yield from _view_lines(space, data)
    if pack_size > 1:
        yield from wrap_row("packs", f"up to {pack_size:,} students are stacked into one network and trained together")
    for name, formula in loss_formulas(space).items():
        yield from wrap_row("loss", f"{name}: {formula}")
    yield from _knob_lines(list(inert_knobs.knob_effects(space, data)))


def wrap_row(head: str, text: str) -> list[str]:
    """Return a row in lines of at most 80 columns.

    Words joined by a no-break space stay on one line.
    """
    wrapper = textwrap.TextWrapper(LINE_WIDTH, f"  {head:<10}", " " * 12)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return [line.replace("\u00a0", " ") for line in wrapper.wrap(text)]


def _stage_table(stages: list[StagePreview], at_once: int) -> Iterator[str]:
    yield f"  {'stage':<10}{'trained':>8}{'epochs':>8}  {'time':<16}{'memory':>9}{'disk':>9}"
    for stage in stages:
        sizes = "".join(f"{max(1, round(size / BYTES_PER_MB)):>6,} MB" for size in (stage.memory, stage.disk))
        is_cached = stage.name == "teachers" and not stage.seconds
        duration = "cached" if is_cached else f"about {wording.format_duration(stage.seconds)}"
        yield f"  {stage.name:<10}{stage.trained:>8,}{stage.epochs:>8,}  {duration:<16}{sizes}"
    yield f"            memory: tensors of {at_once} trained at a time; libraries: 400 MB a process"
    yield "            disk: weights and teacher outputs"


def _view_lines(space: Space, data: Dataset) -> Iterator[str]:
    """Yield the size of a teacher's logits for all views."""
    outputs = requested_outputs([space.fill(values, space.seeds[0]) for values in space.probes()])
    if outputs.policies:
        views = sum(map(augment.view_count, outputs.policies))
        size = max(1, round(sum(footprint.views_bytes(policy, data) for policy in outputs.policies) / BYTES_PER_MB))
        images = f"{views:,} of each of {len(data.train.labels):,} images"
        yield from wrap_row("views", f"{images}: a teacher's logits for them take {size:,} MB")


def _knob_lines(effects: list[inert_knobs.KnobEffect]) -> Iterator[str]:
    effective = [effect for effect in effects if effect.effective]
    if effective:
        paths = ", ".join(knob.path for knob in effective)
        yield from wrap_row("knobs", f"each changes the trained weights: {paths}")
    for knob in effective:
        if knob.reason:
            yield from wrap_row("", f"{knob.path}: not everywhere: {knob.reason}")
    for knob in effects:
        if not knob.effective:
            reason = f": {knob.reason}" if knob.reason else ""
            text = f"{knob.path}: {knob.values[0]} and {knob.values[1]} give the same weights{reason}"
            yield from wrap_row("inert", text)
