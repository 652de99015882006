"""What each node of a cluster is asked before anything is trained, here of nodes that are made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray

from search.cluster import preflight
from search.cluster.preflight import authentication, code, program
from spaces.errors import UserError

HERE, MODE = program(), authentication()
NODES = [{"Alive": True, "NodeID": f"{n}" * 56, "NodeManagerAddress": f"10.0.0.{n}"} for n in (1, 2)]
NODES += [{"Alive": False, "NodeID": "3" * 56, "NodeManagerAddress": "10.0.0.3"}]


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """A cluster of two living nodes; `second` is what the second one answers, or raises."""
    second: list = [(HERE, MODE, None)]

    def ask(node: str, question: Path):
        answer = question.with_name(question.name.replace("question", "answer") + node[:8])
        said = second[0] if node.startswith("2") else (HERE, MODE, None)
        if isinstance(said, tuple) and said[2] is None:
            answer.write_text(question.read_text())
        return answer, said

    def get(said, timeout):
        if isinstance(said, Exception):
            raise said
        return *said[:2], None if said[2] == "unseen" else said[2]

    monkeypatch.setattr(preflight.ray, "nodes", lambda: NODES)
    monkeypatch.setattr(preflight.ray, "get", get)
    monkeypatch.setattr(preflight, "_ask", ask)

    def asked(said) -> str:
        second[0] = said
        try:
            preflight.preflight(tmp_path)
        except UserError as error:
            return str(error)
        finally:
            assert list(tmp_path.iterdir()) == []
        return ""

    return asked


def test_nodes_that_are_alike_may_train(nodes):
    assert nodes((HERE, MODE, None)) == ""


@pytest.mark.parametrize(
    ("said", "found", "mend"),
    [
        ((HERE, MODE, "Permission denied"), "the folder is not shared (Permission denied)", "under the same path"),
        (
            (HERE, MODE, "unseen"),
            "the folder is not shared (what it writes there is not seen here)",
            "under the same path",
        ),
        (({**HERE, "torch": "1.0"}, MODE, None), f"torch 1.0, here {HERE['torch']}", "install the same versions"),
        (({**HERE, "code": "0"}, MODE, None), f"code 0, here {HERE['code']}", "install the same versions"),
        ((HERE, "other", None), f"RAY_AUTH_MODE is other there and {MODE} here", "by --insecure-cluster"),
        (ray.exceptions.GetTimeoutError("slow"), "does not answer (GetTimeoutError)", "take it from the cluster"),
        (ray.exceptions.NodeDiedError("gone"), "does not answer (NodeDiedError)", "take it from the cluster"),
    ],
)
def test_a_node_that_will_not_do_is_named_with_its_mend(nodes, said, found, mend):
    head, line = nodes(said).split("\n")
    assert head.endswith("not every node of the cluster can train:")
    assert line.startswith("10.0.0.2: ") and found in line and line.endswith(mend)


def test_the_code_is_known_by_its_contents(tmp_path, monkeypatch):
    assert len(code()) == 12 and code() == code()
    package = tmp_path / "search"
    package.mkdir()
    monkeypatch.setattr(preflight, "__file__", str(package / "preflight.py"))
    (package / "a.py").write_text("x = 1\n")
    first = code()
    (package / "a.py").write_text("x = 2\n")
    second = code()
    (package / "a.py").rename(package / "b.py")
    assert len({first, second, code()}) == 3
