"""Contents of one experiment folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas

from results import paths, records, students
from results.asked import asked_students
from results.fronts import with_front
from results.grids import Grid, Label, make_grid
from results.leaderboard import build_leaderboard
from results.paths import Folder
from results.records import Row
from spaces import space
from spaces.domain import Choice
from spaces.metrics import VAL_FIELDS, Shown

Result = TypeVar("Result")
UNEQUAL_CLASS_RATIO = 1.5  # training images of the largest class over those of the smallest


class _Contents(NamedTuple):
    folder: Path
    space: space.Space
    environment: Row
    teachers: dict[str, Row]
    students: pandas.DataFrame
    epochs: pandas.DataFrame


class Experiment(_Contents):
    """Contents of an experiment folder, read once.

    `space` is the space as run, `environment` the protocol, `teachers` the teachers' records by key.
    `students` has one row per student, `epochs` one per student and epoch.
    """

    @property
    def metric(self) -> str:
        """Metric of the search, on validation."""
        return self.space.search.metric

    @property
    def objectives(self) -> list[str]:
        """Metrics and costs of the search; several have a front."""
        return self.space.search.objectives

    @property
    def has_unequal_classes(self) -> bool:
        """True if accuracy alone can mislead.

        Either the classes are of unequal size, or the search is on F1 or AUC.
        """
        imbalance = self.environment.get("data", {}).get("imbalance")
        by_size = isinstance(imbalance, int | float) and imbalance >= UNEQUAL_CLASS_RATIO
        return by_size or VAL_FIELDS[self.metric].metric.shown in (Shown.UNEQUAL_CLASSES, Shown.TWO_UNEQUAL_CLASSES)

    @property
    def running(self) -> bool:
        """True while the search is at work, or if it was interrupted."""
        return "wall_seconds" not in self.environment or "running" in set(self.students["status"])

    @property
    def choice_labels(self) -> dict[str, list[Label]]:
        """Labels of each searched choice, in the order of the space."""
        labels: dict[str, list[Label]] = {}
        for path, domain in self.space.domains:
            if isinstance(domain, Choice):
                labels.setdefault(path, []).extend(domain.labels)
        return labels

    def leaderboard(self) -> pandas.DataFrame:
        """Return the leaderboard, ranked by the metric of the space.

        A space with several objectives has a column `front`, and its front comes first.
        """
        lines = build_leaderboard(self.students, self.metric, self.teachers)
        return with_front(lines, self.objectives) if len(self.objectives) > 1 else lines

    def grid(self, metric: str = "test_accuracy") -> Grid | None:
        """Return the space's table of a metric, with all students asked for.

        None if the space defines none, or if no student is finished.
        """
        axes = self.space.table
        if axes is None:
            return None
        rows = asked_students(self.students, self.space, students.read_teacher_weights(self.folder))
        grid = make_grid(rows, axes.columns, axes.rows, metric, chosen_by=self.metric, options=self.choice_labels)
        return grid if grid.n.any() else None


def computed_once(function: Callable[[Experiment], Result]) -> Callable[[Experiment], Result]:
    """Keep the result of a function of an experiment with the experiment."""

    @wraps(function)
    def compute(experiment: Experiment) -> Result:
        name = f"{function.__module__}.{function.__qualname__}"
        if name not in vars(experiment):
            vars(experiment)[name] = function(experiment)
        return vars(experiment)[name]

    return compute


def load_experiment(folder: Folder) -> Experiment:
    """Read a finished or running experiment.

    Raises UserError if the folder holds none.
    """
    records.require_experiment(folder)
    return Experiment(
        folder=Path(folder),
        space=space.load_recorded_space(paths.space_file(folder)),
        environment=records.read_environment(folder),
        teachers=records.read_teachers(folder),
        students=students.read_students(folder),
        epochs=students.read_epochs(folder),
    )
