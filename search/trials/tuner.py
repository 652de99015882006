"""Ray Tune for one stage, with listed or proposed packs.

Decision: "Tune is never restored" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback

from results.trackers import TrackerGroup
from search.algorithms.per_student import PerStudentScheduler
from search.cluster.scratch import scratch_folder
from search.cluster.workers import cluster_workers
from search.students.spec import StudentSpec
from search.trials.callback import MAX_RETRIES, StudentCallback
from search.trials.progress_display import ProgressDisplay
from search.trials.trainable import train_trial
from spaces.space import Space
from trainables.data import Dataset
from trainables.distillation_data import TeacherOutputs
from trainables.plugin import PluginFiles


class SearchContext(NamedTuple):
    """Values for all stages."""

    space: Space
    data: Dataset
    grid: Sequence[StudentSpec]  # students of a grid search; empty for other algorithms
    folder: Path
    plugins: PluginFiles
    display: ProgressDisplay
    trackers: TrackerGroup
    teacher_outputs: dict[str, tuple[str, TeacherOutputs]]  # name and outputs, by students.spec.teacher_json
    single_machine: bool  # a private Ray without other nodes


def run_trials(
    context: SearchContext,
    config: tune.TuneConfig,
    param_space: dict[str, Any],
    scheduler: PerStudentScheduler | None = None,
) -> None:
    """Train packs until there are no more.

    Ray's own files are temporary: a search is resumed from the rows of its students.
    """
    resources = context.space.resources
    config.scheduler = scheduler
    config.max_concurrent_trials = cluster_workers(context.space)
    config.reuse_actors = True
    config.trial_dirname_creator = _trial_folder_name
    trainable = tune.with_parameters(
        train_trial,
        data=context.data,
        teacher_outputs=context.teacher_outputs,
        plugins=context.plugins,
        folder=context.folder,
        threads=max(1, int(resources.cpus)),
    )
    callback = StudentCallback(
        context.space,
        context.folder,
        context.display,
        context.trackers,
        scheduler.stopped if scheduler else set(),
    )
    with scratch_folder() as storage:
        run_config = tune.RunConfig(
            name="stage",
            storage_path=str(storage),
            callbacks=[callback, _SilentReporter()],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
        )
        limited = tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus or 0})
        tune.Tuner(limited, param_space=param_space, tune_config=config, run_config=run_config).fit()


class _SilentReporter(TrialProgressCallback):
    """Ray's reporter without output.

    Ray's own prints a line about a trial without results at any verbosity.
    """

    def _print(self, msg: str) -> None:
        pass


def _trial_folder_name(trial: Any) -> str:
    return trial.trial_id  # Ray's default spells out the whole config
