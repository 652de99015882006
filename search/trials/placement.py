"""Placement of workers on nodes.

Tune asks a resource manager where it may start the worker of a trial. Tune's own manager reserves placement groups
anywhere in the cluster; this one starts a worker on a node that has passed its check (search/cluster/nodes.py) and has
room, so a node that joins is used and one with other code is not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ray.air.execution.resources.request import AcquiredResources, ResourceRequest
from ray.air.execution.resources.resource_manager import ResourceManager
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster.nodes import TrainingNodes, worker_options
from spaces.sections import Resources


@dataclass
class PlacedWorker(AcquiredResources):
    """Room for one worker on a node."""

    node_id: str
    options: dict[str, Any]  # of its Ray actor

    def _annotate_remote_entity(self, entity: Any, bundle: dict[str, float], bundle_index: int) -> Any:
        strategy = NodeAffinitySchedulingStrategy(self.node_id, soft=False)
        return entity.options(**self.options, scheduling_strategy=strategy)


class WorkerPlacement(ResourceManager):
    """Places workers, all with the same resources."""

    def __init__(self, nodes: TrainingNodes, required: Resources) -> None:
        self.nodes, self._required = nodes, required
        self._placed: Counter[str] = Counter()  # workers by node id
        self.requested = 0  # workers without a place
        self._left_node = ""  # id of the node of the worker that ended last

    def request_resources(self, resource_request: ResourceRequest) -> None:
        """Ask for a place."""
        self.requested += 1

    def cancel_resource_request(self, resource_request: ResourceRequest) -> None:
        """Take a request back."""
        self.requested -= 1

    def has_resources_ready(self, resource_request: ResourceRequest) -> bool:
        """Return True if a worker can be placed."""
        return self.requested > 0 and self._free_node() is not None

    def acquire_resources(self, resource_request: ResourceRequest) -> PlacedWorker | None:
        """Place a worker."""
        node_id = self._free_node() if self.requested else None
        if node_id is None:
            return None
        self.requested -= 1
        self._placed[node_id] += 1
        return PlacedWorker(resource_request, node_id, worker_options(self._required))

    def free_resources(self, acquired_resource: AcquiredResources) -> None:
        """Give a place back."""
        assert isinstance(acquired_resource, PlacedWorker)
        self._left_node = acquired_resource.node_id
        self._placed[self._left_node] -= 1

    def clear(self) -> None:
        """Forget all requests and places."""
        self._placed.clear()
        self.requested = 0

    def doubt_left_node(self) -> None:
        """Check the node of the worker that ended last: it died."""
        self.nodes.check_again(self._left_node)

    def worker_count(self) -> int:
        """Return the number of workers at one time, at least 1."""
        return self.nodes.worker_count(self._required)

    def wait_reason(self) -> str:
        """Describe the cause of a wait for the first worker."""
        if not self.nodes.worker_slots(self._required):
            return self.nodes.missing_resources(self._required)
        if self.nodes.single_machine:
            return "Ray to start a worker, which imports torch"
        names = sorted(node.name for node_id, node in self.nodes.present().items() if self._placed[node_id])
        where = f" on {', '.join(names)}" if names else ""
        return f"Ray to start a worker{where}: it imports torch, or other jobs hold the resources"

    def _free_node(self) -> str | None:
        """Return the node with the most room, None without room."""
        if self._required.workers and self._placed.total() >= self._required.workers:
            return None
        room = {
            node_id: slots - self._placed[node_id] for node_id, slots in self.nodes.worker_slots(self._required).items()
        }
        node_id = max(room, key=lambda node_id: room[node_id], default=None)
        return node_id if node_id is not None and room[node_id] > 0 else None
