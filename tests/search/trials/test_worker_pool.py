"""Free workers between two stages; Ray is replaced."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest
from ray.air.execution._internal import TrackedActor

from search.trials import worker_pool as module
from search.trials.controller import StudentController
from search.trials.worker_pool import IDLE_SECONDS, FreeWorkers, WorkerPool


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "monotonic", lambda: clock.now)
    return clock


def test_a_worker_stays_free_for_a_minute_and_the_first_is_taken_first(clock):
    free, workers = FreeWorkers(), [TrackedActor(number) for number in range(3)]
    for worker in workers:
        free.cache_object("any", worker)
        clock.now += 1
    assert free.pop_cached_object("any") == workers[0] and list(free) == workers[1:]
    clock.now = 101 + IDLE_SECONDS - 0.5
    assert not free.pop_idle() and free.num_cached_objects == 2
    clock.now += 1
    assert free.pop_idle() == [workers[1]] and list(free) == [workers[2]]
    assert free.pop_cached_object("any") == workers[2] and not free.has_cached_object("any")


def test_the_next_stage_handles_the_failures_of_the_workers_it_takes_over():
    pool, worker = WorkerPool(SimpleNamespace(), SimpleNamespace()), TrackedActor(0, on_start=print)
    pool.free.cache_object("any", worker)
    with mock.patch("search.trials.controller.TuneController.__init__", lambda self, **options: None):
        controller = object.__new__(StudentController)
        controller._started_actors = set()
        controller.__init__(pool=pool, print_line=print)
    assert worker._on_start is None
    assert worker._on_error == controller._actor_failed and worker._on_stop == controller._actor_stopped
    assert controller._started_actors == {worker} and controller._actor_manager is pool.manager


def test_released_workers_are_ended_and_their_data_forgotten():
    pool = WorkerPool(SimpleNamespace(), SimpleNamespace())
    pool.free.cache_object("any", TrackedActor(0))
    pool.trainable = object()
    with mock.patch.object(pool.manager, "cleanup") as cleanup:
        pool.release()
    assert cleanup.called and not list(pool.free) and pool.trainable is None
