"""Everything an experiment folder says, read once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas

from results import grids, records, students
from results import leaderboard as tables
from results.records import Folder, Row
from spaces import space

UNEVEN = 1.5  # times as many training images of the largest class as of the smallest


class Experiment(NamedTuple):
    """A folder's contents: the space as run, what it stands on, teachers by key, one row per student and per epoch."""

    folder: Path
    space: space.Space
    environment: Row
    teachers: dict[str, Row]
    students: pandas.DataFrame
    epochs: pandas.DataFrame

    @property
    def metric(self) -> str:
        """What configurations are chosen by: val_accuracy, val_loss, val_macro_f1 or val_auc."""
        return self.space.search.metric

    @property
    def uneven(self) -> bool:
        """Whether accuracy alone would mislead, as classes are of unequal size, or F1 or AUC was chosen by."""
        by_size = self.environment.get("data", {}).get("imbalance")
        return self.metric in tables.UNEVEN or (isinstance(by_size, int | float) and by_size >= UNEVEN)

    @property
    def running(self) -> bool:
        """Whether the search is still at work, or was cut off and can be taken up again."""
        return "wall_seconds" not in self.environment or "running" in set(self.students["status"])


def load(folder: Folder) -> Experiment:
    """Reads a finished or running experiment; raises UserError where the folder holds none."""
    records.check(folder)
    return Experiment(
        folder=Path(folder),
        space=space.load(records.space_file(folder)),
        environment=records.environment(folder),
        teachers=records.teachers(folder),
        students=students.read(folder),
        epochs=students.epochs(folder),
    )


def leaderboard(experiment: Experiment) -> pandas.DataFrame:
    """The leaderboard by the metric of the space."""
    return tables.leaderboard(experiment.students, experiment.metric, experiment.teachers)


def table(experiment: Experiment) -> grids.Grid | None:
    """The table the space asks for, in test accuracy; None where it asks for none or no student is finished yet."""
    wanted = experiment.space.table
    if wanted is None:
        return None
    found = grids.grid(experiment.students, x=wanted.columns, y=wanted.rows, chosen_by=experiment.metric)
    return found if found.n.any() else None
