"""Ray Tune for one stage, with listed or proposed packs.

Decision: "Tune is never restored" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback

from results.console import print_plain
from results.trackers import TrackerGroup
from search.algorithms.per_student import PerStudentScheduler
from search.cluster.nodes import TrainingNodes
from search.cluster.scratch import scratch_folder
from search.cluster.worker_setup import WorkerSetup
from search.students.spec import StudentSpec
from search.students.store import StudentStore
from search.trials.callback import MAX_RETRIES, StudentCallback
from search.trials.controller import student_controller
from search.trials.progress_display import ProgressDisplay
from search.trials.trainable import train_trial
from search.trials.worker_pool import WorkerPool
from spaces.sections import Resources
from spaces.space import Space
from trainables.data import Dataset
from trainables.distillation_data import TeacherOutputs
from trainables.teachers.home import CacheHome


class SearchContext(NamedTuple):
    """Values for all stages."""

    space: Space
    data: Dataset
    grid: Sequence[StudentSpec]  # students of a grid search; empty for other algorithms
    folder: Path
    setup: WorkerSetup
    display: ProgressDisplay
    trackers: TrackerGroup
    teacher_outputs: dict[str, tuple[str, TeacherOutputs]]  # name and outputs, by students.spec.teacher_json
    store: StudentStore  # as workers reach it
    teacher_home: CacheHome
    nodes: TrainingNodes
    workers: WorkerPool
    mirrored_teachers: set[str] | None = None  # keys of the teachers in use; None for a folder of this machine


def run_trials(
    context: SearchContext,
    config: tune.TuneConfig,
    param_space: dict[str, Any],
    useful_workers: int,
    scheduler: PerStudentScheduler | None = None,
) -> None:
    """Train packs until there are no more.

    An autoscaler is asked for `useful_workers`, or the space's limit. Ray's own files are temporary: a search is
    resumed from the rows of its students.
    """
    resources, pool = context.space.resources, context.workers
    config.scheduler = scheduler
    config.reuse_actors = True
    config.trial_dirname_creator = _trial_folder_name
    if pool.trainable is None:
        pool.trainable = tune.with_parameters(
            train_trial,
            data=context.data,
            teacher_outputs=context.teacher_outputs,
            setup=context.setup,
            store=context.store,
            threads=max(1, int(resources.cpus)),
        )
    callback = StudentCallback(
        context.space,
        context.folder,
        context.display,
        context.trackers,
        scheduler.stopped if scheduler else set(),
        context.nodes.refuse,
    )
    with (
        _autoscaled(context.nodes, resources, useful_workers),
        student_controller(pool, lambda line: print_plain(context.display.console, line)),
        scratch_folder() as storage,
    ):
        run_config = tune.RunConfig(
            name="stage",
            storage_path=str(storage),
            callbacks=[callback, _SilentReporter()],
            progress_reporter=_NoReporter(),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
        )
        tune.Tuner(pool.trainable, param_space=param_space, tune_config=config, run_config=run_config).fit()


@contextmanager
def _autoscaled(nodes: TrainingNodes, required: Resources, workers: int) -> Iterator[None]:
    """Ask an autoscaler for room for workers during this block."""
    nodes.request_workers(required, min(workers, required.workers or workers))
    try:
        yield
    finally:
        nodes.request_workers(required, 0)


class _SilentReporter(TrialProgressCallback):
    """Ray's reporter without output.

    Ray's own prints a line about a trial without results at any verbosity.
    """

    def _print(self, msg: str) -> None:
        pass


class _NoReporter(tune.ProgressReporter):
    """Reporter without reports.

    In a notebook, Ray's default clears the output of the cell.
    """

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:
        """Return False."""
        return False

    def report(self, trials: list[Trial], done: bool, *sys_info: str) -> None:
        """Print nothing."""


def _trial_folder_name(trial: Any) -> str:
    return trial.trial_id  # Ray's default spells out the whole config
