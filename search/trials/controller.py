"""Tune's controller, with workers for all stages on changing nodes.

Tune offers no option for the class of its controller, so it is replaced while a Tuner runs. What differs:

- Workers are placed by WorkerPlacement (placement.py), and as many trials run as it has room for at the moment. Tune's
  own limit is fixed when it starts.
- Free workers stay for the next stage (worker_pool.py), which then does not wait for their imports.
- A worker that is starting is kept. With `reuse_actors` Tune gives its trial to the next worker that is free and kills
  the starting one; where trials are shorter than the start of a worker, a dead worker would never be replaced.
- Tune's own state is not saved: nothing reads it.
- A wait of more than WAIT_SECONDS is named, and needs no processor.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

from ray.air.execution._internal import TrackedActor
from ray.exceptions import RayActorError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.search import BasicVariantGenerator

from search.trials.worker_pool import WorkerPool

TUNE: Any = importlib.import_module("ray.tune.tune")
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.1  # between two steps without a worker


class StudentController(TuneController):
    """Controller of one stage."""

    def __init__(self, *, pool: WorkerPool, print_line: Callable[[str], None], **options: Any) -> None:
        super().__init__(resource_manager_factory=lambda: pool.placement, **options)
        self._placement, self._print_line = pool.placement, print_line
        self._actor_manager, self._free_workers = pool.manager, pool.free
        self._actor_cache = cast(Any, pool.free)
        for worker in pool.free:
            worker.set_on_start(None)  # of the stage before
            worker.set_on_stop(self._actor_stopped)
            worker.set_on_error(self._actor_failed)
            self._started_actors.add(worker)
        self._print_trial_errors = False  # the callback prints one line
        self._waits_since = monotonic()
        self._printed_wait = ""
        self._is_over = False

    def step(self) -> None:
        """Handle one event, with as many trials as there is room for."""
        workers = self._placement.worker_count()
        self._max_pending_trials = workers
        if isinstance(self._search_alg, BasicVariantGenerator):
            self._search_alg.max_concurrent = workers
        self._name_wait()
        super().step()
        if not self._actor_manager.num_live_actors:  # Ray has no event to wait for, and the next step comes at once
            sleep(POLL_SECONDS)

    def checkpoint(self, force: bool = False, wait: bool = False) -> None:
        """Write an empty state at the end.

        Tune looks for one. A search is resumed from the rows of its students.
        """
        if force:
            Path(self.experiment_path, self.experiment_state_file_name).write_text("{}")

    def _name_wait(self) -> None:
        """Print the reason if nothing has run for long."""
        if self._running_trials or not self._pending_trials:
            self._waits_since, self._printed_wait = monotonic(), ""
        elif monotonic() - self._waits_since > WAIT_SECONDS:
            reason = self._placement.wait_reason()
            if reason != self._printed_wait:
                self._printed_wait = reason
                self._print_line(f"waiting for {reason}")

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        """Give a free worker to a trial, unless its own is starting.

        Then another trial gets the free worker.
        """
        if not self._has_starting_worker(trial):
            return super()._maybe_reuse_cached_actor(trial)
        pending = (
            candidate
            for candidate in self._pending_trials_list
            if candidate in self._pending_trials
            and candidate not in self._resetting_trials
            and not self._has_starting_worker(candidate)
            and self._actor_cache.has_cached_object(candidate.placement_group_factory)
        )
        if next_trial := next(pending, None):
            next_trial.init_local_path()
            if super()._maybe_reuse_cached_actor(next_trial) and next_trial not in self._staged_trials:
                self._staged_trials.add(next_trial)
                self._actor_cache.increase_max(next_trial.placement_group_factory)
        return False

    def _maybe_cache_trial_actor(self, trial: Trial) -> bool:
        """Keep the worker of an ended trial for the next one.

        Returns False if it is still starting, has failed, or trains at the end of the stage.
        """
        worker = self._trial_to_actor[trial]
        if self._is_over or worker not in self._started_actors or self._actor_manager.is_actor_failed(worker):
            return False
        self._free_workers.cache_object(trial.placement_group_factory, worker)
        del self._trial_to_actor[trial], self._actor_to_trial[worker]
        trial.set_ray_actor(None)
        return True

    def _cleanup_cached_actors(self, force_all: bool = False) -> None:
        """End workers without a trial for long."""
        for worker in self._free_workers.pop_idle():
            worker.set_on_stop(None)
            worker.set_on_error(None)
            self._remove_actor(tracked_actor=worker)

    def _cleanup_trials(self) -> None:
        """End the workers of unfinished trials; free ones stay."""
        self._is_over = True
        for trial in list(self._actor_to_trial.values()):
            self._schedule_trial_stop(trial)
        self._cleanup_stopping_actors(force_all=True)

    def _trial_task_failure(self, trial: Trial, exception: Exception) -> None:
        """Retry a trial, without counting it, if its worker died before.

        Ray calls this twice for a worker that was free, and drops the trial at the second time.
        """
        if trial not in self._resetting_trials or not isinstance(exception, RayActorError):
            super()._trial_task_failure(trial, exception)
        elif trial.status == Trial.RUNNING:
            trial.run_metadata.num_failures -= 1
            super()._trial_task_failure(trial, exception)
        else:
            self._resetting_trials.remove(trial)

    def _actor_failed(self, tracked_actor: TrackedActor, exception: Exception) -> None:
        """Handle the death of a worker and perhaps of its node."""
        self._placement.doubt_left_node()
        super()._actor_failed(tracked_actor, exception)

    def _has_starting_worker(self, trial: Trial) -> bool:
        worker = self._trial_to_actor.get(trial)
        return worker is not None and self._actor_manager.is_actor_started(worker)


@contextmanager
def student_controller(pool: WorkerPool, print_line: Callable[[str], None]) -> Iterator[None]:
    """Let Tune use StudentController inside this block."""

    def make_controller(**options: Any) -> StudentController:
        return StudentController(pool=pool, print_line=print_line, **options)

    TUNE.TuneController = make_controller
    try:
        yield
    finally:
        TUNE.TuneController = TuneController
