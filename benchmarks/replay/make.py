"""Training of a table: random configurations of a space, each with every seed.

Students with equal pack keys are trained as one network. Both curves are computed from the weights after each epoch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna

from benchmarks.replay.table import write_table
from search.algorithms.study_parameters import StudyParameters
from search.students.candidates import within_limit
from spaces.document import dump_yaml
from spaces.errors import UserError
from spaces.recipe import Recipe
from spaces.space import Space, load_space
from spaces.template import Values
from spaces.validation import RECIPE_KEYS
from trainables.baseline import canonical_recipe
from trainables.data import Dataset, load_dataset
from trainables.device import device_name, process_device, to_tensor
from trainables.distillation_data import DistillationData, RequestedOutputs, TeacherOutputs, requested_outputs
from trainables.fit import optimizer_resets
from trainables.packs.pack_epoch import pack_inputs, pack_logits, train_pack_epoch
from trainables.packs.pack_key import pack_key
from trainables.packs.stacked_optimizer import StackedOptimizer
from trainables.packs.stacked_students import stack_students
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.validate import recipe_problems

MAX_STACKED = 250  # students of one network
SPACES = Path(__file__).parents[1] / "tables"


class TableSpec(NamedTuple):
    """One of the tables of this repository."""

    configurations: int
    seeds: int


TABLES = {"digits": TableSpec(1000, 6), "mnist5k": TableSpec(300, 6), "families": TableSpec(600, 6)}


def make_table(
    space_file: Path, configurations: int, seeds: int, out: Path, show: Callable[[str], None] = print
) -> None:
    """Train a table and write it."""
    space = load_space(space_file, recipe_problems)
    section = space.fill(space.probes()[0], 0).data
    data = load_dataset(section.name, **section.knobs)
    values = draw_configurations(space, data, configurations)
    recipes = [[canonical_recipe(space.fill(labels, seed)) for seed in range(seeds)] for labels in values]
    epochs = max(row[0].train.epochs for row in recipes)
    curves = _Curves(data, epochs, requested_outputs(space.fill(labels, 0) for labels in space.probes()))
    val, test = curves.train([recipe for row in recipes for recipe in row], show)
    shape = (len(values), seeds, epochs)
    val, test = val.reshape(shape), test.reshape(shape)
    best = int(np.nanargmax(np.nan_to_num(val[:, :, -1]).mean(1)))
    baseline_val, baseline_test = curves.train([recipe.baseline() for recipe in recipes[best]], show)
    tree = space.document.tree
    write_table(
        out,
        domains=dump_yaml({key: tree[key] for key in RECIPE_KEYS if key in tree}),
        knobs=space.knobs,
        configurations=values,
        val=val,
        test=test,
        baseline_val=baseline_val,
        baseline_test=baseline_test,
        source=f"{data.name}, {configurations} random configurations of {space_file.name}, {seeds} seeds, {epochs} "
        f"epochs; trained {datetime.now(UTC):%Y-%m-%d} on {device_name()}. Baseline: the student alone with the "
        f"training knobs of configuration {best}.",
    )


def draw_configurations(space: Space, data: Dataset, count: int) -> list[Values]:
    """Return different random values within the space's limit."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    parameters = StudyParameters(space)
    drawn: dict[str, Values] = {}
    while len(drawn) < count:
        values = parameters.sample(study.ask())
        recipe = canonical_recipe(space.fill(values, 0))
        if within_limit(space, recipe, data):
            drawn.setdefault(recipe.key(), values)
    return list(drawn.values())


class _Curves:
    """Trainer of students on one data set; every teacher is trained once."""

    def __init__(self, data: Dataset, epochs: int, requested: RequestedOutputs):
        self.data, self.epochs, self.requested = data, epochs, requested
        self.teachers: dict[str, TeacherOutputs] = {}

    def train(self, recipes: Sequence[Recipe], show: Callable[[str], None]) -> tuple[np.ndarray, np.ndarray]:
        """Return validation and test accuracies [students, epochs]."""
        accuracies = np.full((2, len(recipes), self.epochs), np.nan, np.float32)
        for done, indices in _groups(recipes):
            group = [recipes[index] for index in indices]
            distillation_data = DistillationData(self.data, self._teacher_outputs(group[0]))
            accuracies[:, indices] = stacked_accuracies(group, distillation_data)
            show(f"{done + len(indices)} of {len(recipes)} students")
        return accuracies[0], accuracies[1]

    def _teacher_outputs(self, recipe: Recipe) -> TeacherOutputs | None:
        if recipe.teacher is None:
            return None
        key = recipe.teacher.model_dump_json()
        if key not in self.teachers:
            for event in train_teacher(recipe, self.data, self.requested):
                if isinstance(event, TeacherResult):
                    self.teachers[key] = event.outputs
        return self.teachers[key]


def stacked_accuracies(recipes: Sequence[Recipe], distillation_data: DistillationData) -> np.ndarray:
    """Train students as one network; return accuracies [validation and test, students, epochs].

    They are NaN from a divergence on. The loop is that of trainables/packs/fit_pack.py without the other metrics,
    which would take longer than the training of such small networks.
    """
    data, device, train = distillation_data.data, process_device(), recipes[0].train
    students = stack_students(recipes, data, device, ())
    inputs = pack_inputs(students, recipes, distillation_data, device)
    splits = [tuple(to_tensor(array, device) for array in split) for split in (data.val, data.test)]
    accuracies = np.full((len(splits), len(recipes), train.epochs), np.nan)
    diverged = np.zeros(len(recipes), bool)
    for epoch in range(1, train.epochs + 1):
        if epoch in optimizer_resets(recipes[0]):
            optimizer = StackedOptimizer(students.parameters.values(), [recipe.train for recipe in recipes])
        losses, _ = train_pack_epoch(students, optimizer, inputs, epoch)
        diverged |= ~np.isfinite(losses)
        for index, (images, labels) in enumerate(splits):
            correct = pack_logits(students, train.batch_size, images).argmax(-1) == labels
            accuracies[index, :, epoch - 1] = np.where(diverged, np.nan, correct.double().mean(1).numpy(force=True))
    return accuracies


def _groups(recipes: Sequence[Recipe]) -> Iterable[tuple[int, list[int]]]:
    """Yield indices of students to train together, with the number before them.

    Students of a group share their seed, so that they share their batches.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, recipe in enumerate(recipes):
        key = pack_key(recipe)
        if key is None:
            raise UserError(f"student.model: {recipe.network.name} cannot be stacked (trainables/packs/pack_key.py)")
        groups[key, recipe.seed].append(index)
    done = 0
    for indices in groups.values():
        for start in range(0, len(indices), MAX_STACKED):
            yield done, indices[start : start + MAX_STACKED]
            done += len(indices[start : start + MAX_STACKED])
