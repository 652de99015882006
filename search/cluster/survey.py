"""Nodes of a cluster, before a search on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from search.cluster.connect import connected_to_ray
from search.cluster.node_check import NodeReport
from search.cluster.nodes import Node, TeacherPlace
from search.cluster.restart_plan import RayLostError
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset


class ClusterSurvey(NamedTuple):
    """Checked nodes of a cluster, and their use for one space."""

    space: Space  # with `resources.gpus` of these nodes
    nodes: Sequence[tuple[Node, NodeReport]]
    teacher_place: TeacherPlace | None
    workers: int

    @property
    def precision(self) -> str:
        """Precision in place of auto, the same on all nodes.

        It is float32 unless bfloat16 is fast on each node for students.
        """
        precisions = set(self._precisions().values())
        return precisions.pop() if len(precisions) == 1 else "float32"

    def _precisions(self) -> dict[str, str]:
        required = self.space.resources
        usable = [(node, report) for node, report in self.nodes if node.worker_slots(required)]
        return {node.name: report.training_device(required.gpus).precision for node, report in usable}

    def lines(self) -> Iterator[str]:
        """Yield one line per node, and the reason for the precision."""
        required = self.space.resources
        for node, report in self.nodes:
            slots = node.worker_slots(required)
            yield f"{node.name}: {describe_node(node, report)}; {slots or 'no'} students at a time"
        if self.teacher_place:
            yield f"teachers on {self.teacher_place.name}, with {self.teacher_place.cpus} CPUs"
        precisions = self._precisions()
        if len(set(precisions.values())) > 1:
            fast = ", ".join(name for name, precision in precisions.items() if precision == "bfloat16")
            yield f"precision auto is float32: bfloat16 is fast on {fast} only"
        if not precisions:
            yield "no node can train yet; precision auto is float32, whatever joins"


def survey_cluster(space: Space, data: Dataset, address: str, insecure_cluster: bool) -> ClusterSurvey:
    """Check the nodes of a cluster and describe their use.

    Raises UserError for a cluster that cannot be joined, and for nodes that cannot train.
    """
    try:
        with connected_to_ray(address, data, insecure_cluster) as nodes:
            fitted = space.with_gpus(nodes.totals())
            required = fitted.resources
            workers = nodes.worker_count(required)
            return ClusterSurvey(fitted, nodes.training_nodes(), nodes.teacher_place(required), workers)
    except RayLostError as error:
        raise UserError(f"--address {address}: {error}") from None


def describe_node(node: Node, report: NodeReport) -> str:
    """Return the processor and the GPUs of a node."""
    gpus = int(node.resources.get("GPU", 0))
    parts = [f"{node.resources.get('CPU', 0):g} CPUs ({report.processor.name})"]
    parts += [f"{gpus} GPUs ({report.gpu.name if report.gpu else 'unusable by its PyTorch'})"] if gpus else []
    return ", ".join(parts)


def node_records(nodes: Sequence[tuple[Node, NodeReport]]) -> list[dict[str, Any]]:
    """Return the nodes with CPUs as JSON values."""
    return [
        {
            "name": node.name,
            "device": report.processor.name,
            "cores": int(node.resources.get("CPU", 0)),
            "gpu": report.gpu.name if report.gpu else None,
            "gpus": int(node.resources.get("GPU", 0)),
        }
        for node, report in nodes
        if node.resources.get("CPU", 0)
    ]
