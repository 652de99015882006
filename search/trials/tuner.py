"""One Ray Tuner: trains the students that it is given or that a searcher proposes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback

from results.trackers import Trackers
from results.trackers.tensorboard import Board
from search.algorithms.per_student import PerStudentScheduler
from search.cluster.scratch import scratch
from search.plan.estimate import concurrency
from search.trials.callback import RETRIES, Watch
from search.trials.console import Display
from search.trials.trial import trial
from spaces.space import Space
from trainables.data import Dataset
from trainables.distillation_data import TeacherOutputs


class Experiment(NamedTuple):
    """What every stage needs to know."""

    space: Space
    data: Dataset
    folder: Path
    plugins: dict[str, str]
    display: Display
    board: Board
    trackers: Trackers
    lessons: dict[str, tuple[str, TeacherOutputs]]  # name and answers of each teacher, by students.teacher_of
    local: bool  # on a Ray of our own, which no other machine joins


def train(
    experiment: Experiment,
    config: tune.TuneConfig,
    param_space: dict[str, Any],
    referee: PerStudentScheduler | None = None,
) -> None:
    """Train students until there are no more; Ray's own files are temporary, for the rows are the truth."""
    resources = experiment.space.resources
    config.scheduler = referee
    config.max_concurrent_trials = workers(experiment.space)
    config.reuse_actors = True
    config.trial_dirname_creator = _folder_name
    trainable = tune.with_parameters(
        trial,
        data=experiment.data,
        lessons=experiment.lessons,
        plugins=experiment.plugins,
        folder=experiment.folder,
        threads=max(1, int(resources.cpus)),
    )
    watch = Watch(
        experiment.space,
        experiment.folder,
        experiment.display,
        experiment.board,
        experiment.trackers,
        referee.stopped if referee else set(),
    )
    with scratch() as storage:
        run_config = tune.RunConfig(
            name="stage",
            storage_path=str(storage),
            callbacks=[watch, _Silence()],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        )
        limited = tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus or 0})
        tune.Tuner(limited, param_space=param_space, tune_config=config, run_config=run_config).fit()


class _Silence(TrialProgressCallback):
    """Takes the place of Ray's own callback, which speaks of a student that ended without an epoch at any verbosity."""

    def _print(self, msg: str) -> None:
        pass


def _folder_name(trial: Any) -> str:
    return trial.trial_id  # Ray's default spells out the whole config


def workers(space: Space) -> int:
    """How many students are trained at once on the connected cluster."""
    have = ray.cluster_resources()
    return concurrency(space, have.get("CPU", 1), have.get("GPU", 0))
