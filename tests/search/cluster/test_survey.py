"""Description of a cluster's nodes, and the precision for all of them."""

from __future__ import annotations

import pytest

from results.protocol import protocol_lines
from search.cluster.node_check import Device, NodeReport
from search.cluster.nodes import Node, TeacherPlace
from search.cluster.survey import ClusterSurvey, node_records

HEAD = Node("head", {"CPU": 0.0}, {})
SMALL = Node("small", {"CPU": 4.0}, {})
LARGE = Node("large", {"CPU": 16.0, "GPU": 2.0}, {})
XEON, EPYC = Device("Xeon", "bfloat16"), Device("EPYC", "float32")
H100 = Device("H100", "bfloat16")


def report(processor: Device, gpu: Device | None = None) -> NodeReport:
    return NodeReport({}, "token", processor, gpu)


@pytest.fixture
def survey(space):
    def make(*nodes: tuple[Node, NodeReport], **resources: float) -> ClusterSurvey:
        return ClusterSurvey(space(resources=resources), nodes, TeacherPlace("id", "large", 16), 7)

    return make


@pytest.mark.parametrize(
    ("processors", "gpus", "precision"),
    [
        ((XEON, XEON), 0, "bfloat16"),
        ((EPYC, XEON), 0, "float32"),
        ((EPYC, XEON), 1, "bfloat16"),  # students train on the GPU of the large node only
    ],
)
def test_one_precision_for_all_nodes_that_train(survey, processors, gpus, precision):
    nodes = (HEAD, report(EPYC)), (SMALL, report(processors[0])), (LARGE, report(processors[1], H100))
    assert survey(*nodes, cpus=1, gpus=gpus).precision == precision
    assert survey((HEAD, report(XEON)), cpus=1, gpus=gpus).precision == "float32"  # no node yet


def test_each_node_has_a_line(survey):
    nodes = (HEAD, report(EPYC)), (SMALL, report(EPYC)), (LARGE, report(XEON, H100))
    assert list(survey(*nodes, cpus=2, gpus=0).lines()) == [
        "head: 0 CPUs (EPYC); no students at a time",
        "small: 4 CPUs (EPYC); 2 students at a time",
        "large: 16 CPUs (Xeon), 2 GPUs (H100); 8 students at a time",
        "teachers on large, with 16 CPUs",
        "precision auto is float32: bfloat16 is fast on large only",
    ]
    broken = survey((LARGE, report(XEON)), cpus=2, gpus=0)
    assert "2 GPUs (unusable by its PyTorch)" in next(broken.lines())
    assert list(survey((HEAD, report(EPYC)), cpus=1)._replace(teacher_place=None).lines())[1:] == [
        "no node can train yet; precision auto is float32, whatever joins"
    ]


def test_the_protocol_lists_the_nodes(trained, space, folder):
    from results import paths, records
    from results.experiment import load_experiment

    tiny = space()
    records.write_file(paths.space_file(folder), tiny.dump())
    nodes = [(HEAD, report(EPYC)), (SMALL, report(EPYC)), (SMALL, report(EPYC)), (LARGE, report(XEON, H100))]
    records.save_environment(folder, {"device": "driver", "cores": 2, "nodes": node_records(nodes)})
    (line,) = [line for line in protocol_lines(load_experiment(folder)) if line.startswith("Nodes: ")]
    assert line.startswith("Nodes: 2 × EPYC, 4 cores; 1 × Xeon, 16 cores, 2 × H100; started")
