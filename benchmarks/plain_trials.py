"""Plain Ray Tune: the students of a space as trials of a Tuner that keeps its workers.

`python -m benchmarks.plain_trials SPACE.yaml` trains them by this project's loop, without its rows, test scores,
weights and tables. With Tune's defaults each trial starts a process, which imports torch for seconds; `reuse_actors`
avoids that. Tune's loggers (CSV, JSON, TensorBoard) are on, as by default.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "0")  # this project sets it to 1

import ray
from ray import tune

from search.students.candidates import grid_students
from spaces.recipe import Recipe
from spaces.space import load_space
from trainables.data import load_dataset
from trainables.distillation_data import DistillationData
from trainables.fit import fit
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.validate import recipe_problems


def train_student(config: dict[str, Any], *, recipes: Sequence[Recipe], data: DistillationData) -> None:
    """Train one student and report each epoch."""
    for epoch in fit(recipes[config["student"]], data):
        tune.report(epoch.row())


def main() -> None:
    """Train all students of a grid; fail if a trial has failed."""
    space = load_space(Path(sys.argv[1]), recipe_problems)
    data = load_dataset("digits")
    recipes = [student.recipe for student in grid_students(space, data)]
    *_, teacher = train_teacher(next(recipe for recipe in recipes if recipe.teacher), data)
    assert isinstance(teacher, TeacherResult)
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        workers = space.resources.workers
        ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        trainable = tune.with_parameters(train_student, recipes=recipes, data=DistillationData(data, teacher.outputs))
        results = tune.Tuner(
            trainable,
            param_space={"student": tune.grid_search(list(range(len(recipes))))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=f"{folder}/results", verbose=0),
        ).fit()
        assert len(results) == len(recipes) and not results.errors
        ray.shutdown()


if __name__ == "__main__":
    main()
