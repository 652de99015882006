"""Check of the nodes of a cluster, here of simulated nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray

from search.cluster import preflight
from search.cluster.preflight import auth_mode, code_hash, program_versions
from spaces.errors import UserError

VERSIONS, MODE = program_versions(), auth_mode()
NODES = [{"Alive": True, "NodeID": f"{n}" * 56, "NodeManagerAddress": f"10.0.0.{n}"} for n in (1, 2)]
NODES += [{"Alive": False, "NodeID": "3" * 56, "NodeManagerAddress": "10.0.0.3"}]


@pytest.fixture
def check_second_node(tmp_path, monkeypatch):
    """Check two living nodes, of which the second returns or raises the argument; return the error or ""."""
    second: list = [(VERSIONS, MODE, None)]

    def start_check(node: str, request: Path):
        reply_file = request.with_name(request.name.replace("request", "reply") + node[:8])
        result = second[0] if node.startswith("2") else (VERSIONS, MODE, None)
        if isinstance(result, tuple) and result[2] is None:
            reply_file.write_text(request.read_text())
        return reply_file, result

    def get(result, timeout):
        if isinstance(result, Exception):
            raise result
        return *result[:2], None if result[2] == "unseen" else result[2]

    monkeypatch.setattr(preflight.ray, "nodes", lambda: NODES)
    monkeypatch.setattr(preflight.ray, "get", get)
    monkeypatch.setattr(preflight, "_start_check", start_check)

    def check(result) -> str:
        second[0] = result
        try:
            preflight.check_nodes(tmp_path)
        except UserError as error:
            return str(error)
        finally:
            assert list(tmp_path.iterdir()) == []
        return ""

    return check


def test_equal_nodes_may_train(check_second_node):
    assert check_second_node((VERSIONS, MODE, None)) == ""


@pytest.mark.parametrize(
    ("result", "problem", "remedy"),
    [
        ((VERSIONS, MODE, "Permission denied"), "the folder is not shared (Permission denied)", "under the same path"),
        (
            (VERSIONS, MODE, "unseen"),
            "the folder is not shared (a file written there is not visible here)",
            "under the same path",
        ),
        (
            ({**VERSIONS, "torch": "1.0"}, MODE, None),
            f"torch 1.0, here {VERSIONS['torch']}",
            "install the same versions",
        ),
        (({**VERSIONS, "code": "0"}, MODE, None), f"code 0, here {VERSIONS['code']}", "install the same versions"),
        ((VERSIONS, "other", None), f"RAY_AUTH_MODE is other there and {MODE} here", "by --insecure-cluster"),
        (
            ray.exceptions.GetTimeoutError("slow"),
            "does not answer (GetTimeoutError)",
            "remove the node from the cluster",
        ),
        (ray.exceptions.NodeDiedError("gone"), "does not answer (NodeDiedError)", "remove the node from the cluster"),
    ],
)
def test_a_problem_of_a_node_is_named_with_its_remedy(check_second_node, result, problem, remedy):
    head, line = check_second_node(result).split("\n")
    assert head.endswith("not every node of the cluster can train:")
    assert line.startswith("10.0.0.2: ") and problem in line and line.endswith(remedy)


def test_the_code_hash_depends_on_names_and_contents(tmp_path, monkeypatch):
    assert len(code_hash()) == 12 and code_hash() == code_hash()
    package = tmp_path / "search"
    (package / "cluster").mkdir(parents=True)
    monkeypatch.setattr(preflight, "__file__", str(package / "cluster" / "preflight.py"))
    (package / "a.py").write_text("x = 1\n")
    first = code_hash()
    (package / "a.py").write_text("x = 2\n")
    second = code_hash()
    (package / "a.py").rename(package / "b.py")
    assert len({first, second, code_hash()}) == 3
