"""Versions, authentication and hardware of a node."""

from __future__ import annotations

import pytest
import ray

from search.cluster import node_check
from search.cluster.node_check import NodeReport, auth_mode, code_hash, node_result, program_versions

VERSIONS, MODE = program_versions(), auth_mode()
REPORT = NodeReport(VERSIONS, MODE)


@pytest.fixture
def result_of(monkeypatch):
    """Return the result for a check that returns or raises the argument."""

    def get(result, timeout):
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(node_check.ray, "get", get)
    return lambda report: node_result(report, 1.0)


def test_an_equal_node_may_train(result_of):
    assert result_of(REPORT) is REPORT


@pytest.mark.parametrize(
    ("report", "problem", "remedy"),
    [
        (
            REPORT._replace(versions={**VERSIONS, "torch": "1.0"}),
            f"torch 1.0, here {VERSIONS['torch']}",
            "install the same versions",
        ),
        (
            REPORT._replace(versions={**VERSIONS, "code": "0"}),
            f"code 0, here {VERSIONS['code']}",
            "install the same versions",
        ),
        (
            REPORT._replace(auth_mode="other"),
            f"RAY_AUTH_MODE is other there and {MODE} here",
            "by --insecure-cluster",
        ),
        (
            ray.exceptions.GetTimeoutError("slow"),
            "does not answer (GetTimeoutError)",
            "remove the node from the cluster",
        ),
        (ray.exceptions.NodeDiedError("gone"), "does not answer (NodeDiedError)", "remove the node from the cluster"),
    ],
)
def test_a_problem_of_a_node_is_named_with_its_remedy(result_of, report, problem, remedy):
    line = result_of(report)
    assert isinstance(line, str) and problem in line and line.endswith(remedy)


def test_the_code_hash_depends_on_names_and_contents(tmp_path, monkeypatch):
    assert len(code_hash()) == 12 and code_hash() == code_hash()
    package = tmp_path / "search"
    (package / "cluster").mkdir(parents=True)
    monkeypatch.setattr(node_check, "__file__", str(package / "cluster" / "node_check.py"))
    (package / "a.py").write_text("x = 1\n")
    first = code_hash()
    (package / "a.py").write_text("x = 2\n")
    second = code_hash()
    (package / "a.py").rename(package / "b.py")
    assert len({first, second, code_hash()}) == 3
