"""Worker processes, kept from one stage to the next.

A worker imports torch and Ray before it trains, which takes seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

from ray.air.execution._internal import RayActorManager, TrackedActor

from search.cluster.nodes import TrainingNodes
from search.trials.placement import WorkerPlacement
from spaces.sections import Resources

IDLE_SECONDS = 60.0  # then a free worker is ended: others may need its processor or GPU


class WorkerPool:
    """Workers of one connection to Ray, with equal resources and data."""

    def __init__(self, nodes: TrainingNodes, required: Resources) -> None:
        self.placement = WorkerPlacement(nodes, required)
        self.manager = RayActorManager(resource_manager=self.placement)
        self.free = FreeWorkers()
        self.trainable: Any = None  # Ray's, with its data in the object store; a worker can run no other

    def release(self) -> None:
        """End all workers and forget their data."""
        self.manager.cleanup()
        self.free = FreeWorkers()
        self.trainable = None


class FreeWorkers:
    """Workers without a trial, in the order of their last trials' ends.

    It has the methods of Tune's cache, which keeps a worker only while a trial waits for one.
    """

    def __init__(self) -> None:
        self._since: dict[TrackedActor, float] = {}

    def __iter__(self) -> Iterator[TrackedActor]:
        return iter(self._since)

    @property
    def num_cached_objects(self) -> int:
        """Return the number of free workers."""
        return len(self._since)

    def has_cached_object(self, resources: object) -> bool:
        """Return True if a worker is free."""
        return bool(self._since)

    def cache_object(self, resources: object, worker: TrackedActor) -> bool:
        """Add a worker; return True."""
        self._since[worker] = monotonic()
        return True

    def pop_cached_object(self, resources: object) -> TrackedActor:
        """Take a worker."""
        worker = next(iter(self._since))
        del self._since[worker]
        return worker

    def pop_idle(self) -> list[TrackedActor]:
        """Take the workers without a trial for IDLE_SECONDS."""
        idle = [worker for worker, since in self._since.items() if monotonic() - since >= IDLE_SECONDS]
        for worker in idle:
            del self._since[worker]
        return idle

    def increase_max(self, resources: object) -> None:
        """Do nothing: any number is kept."""

    def decrease_max(self, resources: object) -> None:
        """Do nothing: any number is kept."""
