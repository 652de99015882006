"""Nodes of the connected Ray, and their room for workers.

The table of nodes is read again while a search runs. On a cluster a node is checked before it trains: it needs this
program, in the driver's version and with the same packages (node_check.py). A node that joins is used as soon as it has
passed; one that does not pass is named, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import ray
from ray._private.state import available_resources_per_node
from ray.autoscaler.sdk import request_resources

from search.cluster.node_check import NodeReport, node_result, start_check
from spaces.errors import UserError
from spaces.sections import Resources

REFRESH_SECONDS = 1.0
CHECK_SECONDS = 120.0  # for a first check, which starts a Python process and imports torch


class Node(NamedTuple):
    """One living node of Ray."""

    name: str  # its address
    resources: Mapping[str, float]  # totals, such as CPU and GPU
    labels: Mapping[str, str]

    def worker_slots(self, required: Resources) -> int:
        """Return the room for workers with these resources."""
        if any(self.labels.get(name) != value for name, value in (required.labels or {}).items()):
            return 0
        demands = {name: amount for name, amount in worker_resources(required).items() if amount}
        slots = [int(self.resources.get(name, 0) / amount + 1e-9) for name, amount in demands.items() if name != "GPU"]
        if gpus := demands.get("GPU"):  # a student never uses parts of two GPUs
            per_gpu = int(1 / gpus + 1e-9)
            slots.append(int(self.resources.get("GPU", 0)) * per_gpu)
        return min(slots)


class TeacherPlace(NamedTuple):
    """A node for the training of a teacher."""

    node_id: str
    name: str
    cpus: int


def worker_resources(required: Resources) -> dict[str, float]:
    """Return the resources of one worker by Ray's names."""
    amounts: dict[str, float] = {"CPU": required.cpus, "GPU": required.gpus or 0}
    if required.memory:
        amounts["memory"] = required.memory * 2**30
    if required.accelerator:
        amounts[f"accelerator_type:{required.accelerator}"] = 0.001
    return amounts


def worker_options(required: Resources) -> dict[str, Any]:
    """Return the options of one worker's Ray actor or task."""
    amounts = worker_resources(required)
    options = {"num_cpus": amounts.pop("CPU"), "num_gpus": amounts.pop("GPU"), "memory": amounts.pop("memory", None)}
    return options | {"resources": amounts}


class TrainingNodes:
    """Table of the nodes for training.

    The only node of a private Ray is not checked.
    """

    def __init__(self, single_machine: bool) -> None:
        self.single_machine = single_machine
        self._print_line: Callable[[str], None] = lambda line: None
        self._checks: dict[str, Any] = {}  # references to the results of running checks, by node id
        self._refused: dict[str, str] = {}  # reasons, by node id
        self._reports: dict[str, NodeReport] = {}  # of nodes that passed
        self._checked_again: set[str] = set()  # ids of nodes that passed before
        self._alive: dict[str, Node] = {}
        self._passed: dict[str, tuple[Node, NodeReport]] = {}  # all nodes that have ever passed, by node id
        self._read_at = float("-inf")

    def announce(self, print_line: Callable[[str], None]) -> None:
        """Print joins, departures and refusals from now on."""
        self._print_line = print_line

    def check_all(self) -> None:
        """Wait for the checks of all present nodes.

        Raises UserError with one line per problem.
        """
        end = monotonic() + CHECK_SECONDS
        self._refresh()
        for node_id, check in list(self._checks.items()):
            self._finish_check(node_id, check, max(0.0, end - monotonic()))
        problems = [f"{self._alive[node_id].name}: {reason}" for node_id, reason in self._refused.items()]
        if problems:
            raise UserError("not every node of the cluster can train:\n" + "\n".join(problems))

    def present(self) -> dict[str, Node]:
        """Return the living nodes for training, by node id."""
        if monotonic() - self._read_at > REFRESH_SECONDS:
            self._refresh()
            for node_id, check in list(self._checks.items()):
                if ray.wait([check], timeout=0)[0]:
                    self._finish_check(node_id, check, 0.0)
                    self._print_result(node_id)
        return {node_id: node for node_id, node in self._alive.items() if self._may_train(node_id)}

    def training_nodes(self) -> list[tuple[Node, NodeReport]]:
        """Return all passed nodes, also the departed ones."""
        return list(self._passed.values())

    def totals(self) -> list[tuple[float, float]]:
        """Return CPUs and GPUs of each node for training."""
        return [(node.resources.get("CPU", 0), node.resources.get("GPU", 0)) for node in self.present().values()]

    def teacher_place(self, required: Resources) -> TeacherPlace | None:
        """Return the node with the most free CPUs.

        It has room for a student. None without such a node. CPUs in use by others are not counted.
        """
        nodes = {node_id: node for node_id, node in self.present().items() if node.worker_slots(required)}
        free = available_resources_per_node() if not self.single_machine else {}
        cpus = {id_: free.get(id_, node.resources).get("CPU", 0.0) for id_, node in nodes.items()}
        node_id = max(cpus, key=lambda node_id: cpus[node_id], default=None)
        return None if node_id is None else TeacherPlace(node_id, nodes[node_id].name, max(1, int(cpus[node_id])))

    def refuse(self, node_id: str, reason: str) -> None:
        """Train nothing more on a node."""
        if node_id not in self._refused:
            self._refused[node_id] = reason
            self._reports.pop(node_id, None)
            self._print_result(node_id)

    def check_again(self, node_id: str) -> None:
        """Place nothing on a node until it has passed another check.

        Ray lists a dead node as alive for up to half a minute, and each worker placed there would die.
        """
        if node_id in self._reports:
            del self._reports[node_id]
            self._checked_again.add(node_id)
            self._start_check(node_id)

    def worker_slots(self, required: Resources) -> dict[str, int]:
        """Return the room for workers, by node id."""
        slots = {node_id: node.worker_slots(required) for node_id, node in self.present().items()}
        return {node_id: count for node_id, count in slots.items() if count}

    def worker_count(self, required: Resources) -> int:
        """Return the number of workers at one time, at least 1."""
        workers = sum(self.worker_slots(required).values())
        return max(1, min(workers, required.workers or workers))

    def request_workers(self, required: Resources, workers: int) -> None:
        """Ask the cluster's autoscaler for room for workers.

        A cluster without one ignores this, and a private Ray has none.
        """
        if not self.single_machine:
            bundle = {name: amount for name, amount in worker_resources(required).items() if amount}
            bundles, labels = [bundle] * workers, [dict(required.labels or {})] * workers
            request_resources(bundles=bundles, bundle_label_selectors=labels if required.labels else None)

    def missing_resources(self, required: Resources) -> str:
        """Describe a node with enough resources, and name the refused ones."""
        amounts = [f"{required.cpus:g} CPUs"]
        amounts += [f"{required.gpus:g} GPUs"] if required.gpus else []
        amounts += [f"{required.memory:g} GB of memory"] if required.memory else []
        amounts += [f"GPU type {required.accelerator}"] if required.accelerator else []
        amounts += [f"label {name}={value}" for name, value in (required.labels or {}).items()]
        refused = [self._alive[node_id].name for node_id in self._refused if node_id in self._alive]
        refusals = f"; refused: {', '.join(refused)}" if refused else ""
        return f"a node with {', '.join(amounts)}{refusals}"

    def _may_train(self, node_id: str) -> bool:
        return self.single_machine or node_id in self._reports

    def _refresh(self) -> None:
        nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        for node_id in self._alive.keys() - nodes.keys():
            self._checks.pop(node_id, None)
            self._reports.pop(node_id, None)
            if node_id in self._passed:
                self._print_line(f"node {self._alive[node_id].name}: left the cluster")
        self._alive = {
            node_id: Node(node["NodeManagerAddress"], node["Resources"], node.get("Labels") or {})
            for node_id, node in nodes.items()
        }
        if not self.single_machine:
            seen = self._checks.keys() | self._refused.keys() | self._reports.keys()
            for node_id in [node_id for node_id in nodes if node_id not in seen]:
                self._start_check(node_id)
        self._read_at = monotonic()

    def _start_check(self, node_id: str) -> None:
        self._checks[node_id] = start_check(node_id, self._alive[node_id].resources.get("GPU", 0) > 0)

    def _finish_check(self, node_id: str, check: Any, timeout: float) -> None:
        result = node_result(check, timeout)
        del self._checks[node_id]
        if isinstance(result, str):
            self._refused[node_id] = result
        else:
            self._reports[node_id] = result
            self._passed.setdefault(node_id, (self._alive[node_id], result))

    def _print_result(self, node_id: str) -> None:
        name = self._alive[node_id].name if node_id in self._alive else node_id
        if node_id in self._refused:
            self._print_line(f"node {name}: trains no students: {self._refused[node_id]}")
        elif node_id not in self._checked_again:
            self._print_line(f"node {name}: joined the search")
