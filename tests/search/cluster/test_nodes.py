"""Nodes that join, leave and are refused, and the places of workers on them; Ray is replaced."""

from __future__ import annotations

from typing import Any

import pytest
import ray
from ray.tune import PlacementGroupFactory

from search.cluster import nodes as module
from search.cluster.node_check import NodeReport, auth_mode, program_versions
from search.cluster.nodes import Node, TrainingNodes, worker_options
from search.trials.placement import WorkerPlacement
from spaces.errors import UserError
from spaces.sections import Resources

REPORT = NodeReport(program_versions(), auth_mode())
OTHER_CODE = REPORT._replace(versions={**REPORT.versions, "code": "0"})


class Cluster:
    """Stand-in for Ray: nodes by name, with CPUs and the result of their check."""

    def __init__(self) -> None:
        self.cpus: dict[str, float] = {}
        self.results: dict[str, Any] = {}
        self.checks: list[str] = []

    def join(self, name: str, cpus: float, result: Any = REPORT) -> None:
        self.cpus[name], self.results[name] = cpus, result

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "NodeManagerAddress": name, "Alive": True, "Resources": {"CPU": cpus}, "Labels": {}}
            for name, cpus in self.cpus.items()
        ]

    def get(self, name: str, timeout: float) -> Any:
        if isinstance(self.results[name], Exception):
            raise self.results[name]
        return self.results[name]

    def start_check(self, name: str, has_gpu: bool) -> str:
        self.checks.append(name)
        return name


@pytest.fixture
def cluster(monkeypatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(module, "REFRESH_SECONDS", -1.0)
    monkeypatch.setattr(module, "start_check", cluster.start_check)
    monkeypatch.setattr(module.ray, "nodes", cluster.nodes)
    monkeypatch.setattr(module.ray, "wait", lambda checks, timeout: (checks, []))
    monkeypatch.setattr(ray, "get", cluster.get)
    return cluster


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def table(lines) -> TrainingNodes:
    table = TrainingNodes(single_machine=False)
    table.announce(lines.append)
    return table


ONE_CPU = Resources(cpus=1)


def test_every_problem_is_named_before_a_search(cluster, table):
    cluster.join("first", 2)
    for name in ("second", "third"):
        cluster.join(name, 2, OTHER_CODE)
    with pytest.raises(UserError) as refused:
        table.check_all()
    head, *problems = str(refused.value).splitlines()
    assert head == "not every node of the cluster can train:"
    assert [line.partition(": code 0")[0] for line in problems] == ["second", "third"]


def test_a_node_that_joins_trains_once_it_has_passed(cluster, table, lines):
    cluster.join("head", 0)
    table.check_all()
    assert table.worker_slots(ONE_CPU) == {} and table.worker_count(ONE_CPU) == 1
    cluster.join("good", 3)
    cluster.join("bad", 8, OTHER_CODE)
    assert table.worker_slots(ONE_CPU) == {"good": 3} and table.worker_count(Resources(cpus=1, workers=2)) == 2
    assert [line.partition(",")[0] for line in lines] == [
        "node good: joined the search",
        "node bad: trains no students: code 0",
    ]
    table.refuse("good", "torch 1.0, here 2.0")
    table.refuse("good", "again")
    assert table.worker_slots(ONE_CPU) == {} and lines[2:] == ["node good: trains no students: torch 1.0, here 2.0"]
    assert table.missing_resources(ONE_CPU) == "a node with 1 CPUs; refused: bad, good"
    assert cluster.checks == ["head", "good", "bad"]


def test_workers_are_placed_where_most_room_is(cluster, table, lines):
    cluster.join("small", 1)
    cluster.join("large", 3)
    table.check_all()
    placement, request = WorkerPlacement(table, ONE_CPU), PlacementGroupFactory([{"CPU": 1}])
    for _ in range(5):
        placement.request_resources(request)
    placed = [placement.acquire_resources(request) for _ in range(4)]
    assert sorted(worker.node_id for worker in placed if worker) == ["large", "large", "large", "small"]
    assert not placement.has_resources_ready(request) and placement.acquire_resources(request) is None
    del cluster.cpus["small"]
    assert not placement.has_resources_ready(request) and lines == ["node small: left the cluster"]
    placement.free_resources(next(worker for worker in placed if worker and worker.node_id == "large"))
    assert placement.has_resources_ready(request)
    cluster.results["large"] = ray.exceptions.NodeDiedError("gone")
    placement.doubt_left_node()
    assert not placement.has_resources_ready(request) and "node large: trains no students: does not" in lines[-1]


def test_a_node_that_leaves_during_another_check_is_named(cluster, table, lines):
    """Its worker died first, and its check never ends."""
    cluster.join("here", 1)
    table.check_all()
    table.check_again("here")
    del cluster.cpus["here"]
    assert table.worker_slots(ONE_CPU) == {} and lines == ["node here: left the cluster"]


def test_a_node_that_passes_again_is_used_silently(cluster, table, lines):
    """As after the death of one worker of a living node."""
    cluster.join("here", 1)
    table.check_all()
    table.check_again("here")
    assert table.worker_slots(ONE_CPU) == {"here": 1} and lines == [] and cluster.checks == ["here", "here"]


@pytest.mark.parametrize(
    ("required", "slots"),
    [
        ({"cpus": 4}, 4),
        ({"cpus": 0.1}, 160),
        ({"gpus": 1}, 2),
        ({"gpus": 0.25}, 8),
        ({"gpus": 0.6}, 2),  # a student never uses parts of two GPUs
        ({"memory": 20}, 3),
        ({"accelerator": "H100"}, 16),
        ({"accelerator": "A100"}, 0),
        ({"labels": {"zone": "a"}}, 16),
        ({"labels": {"zone": "b"}}, 0),
    ],
)
def test_the_room_of_a_node(required, slots):
    resources = {"CPU": 16.0, "GPU": 2.0, "memory": 64.0 * 2**30, "accelerator_type:H100": 1.0}
    node = Node("here", resources, {"zone": "a"})
    assert node.worker_slots(Resources(**{"cpus": 1, **required})) == slots


def test_a_teacher_asks_for_the_free_cpus(cluster, table, monkeypatch):
    """Not for all CPUs of the largest node: another program may use one for days."""
    cluster.join("large", 8)
    cluster.join("small", 4)
    table.check_all()
    free = {"large": {"CPU": 2.5}, "small": {"CPU": 4.0}}
    monkeypatch.setattr(module, "available_resources_per_node", lambda: free)
    assert table.teacher_place(ONE_CPU) == ("small", "small", 4)
    free["small"]["CPU"] = 0.0
    assert table.teacher_place(ONE_CPU) == ("large", "large", 2)
    assert table.teacher_place(Resources(cpus=9)) is None


def test_the_options_of_a_worker():
    required = Resources(cpus=2, gpus=0.5, memory=1, accelerator="H100")
    options = {"num_cpus": 2, "num_gpus": 0.5, "memory": 2**30, "resources": {"accelerator_type:H100": 0.001}}
    assert worker_options(required) == options
