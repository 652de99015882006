"""Teacher cache of the driver for workers of other nodes: locks and copies, with an actor in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster import folder_actor
from search.cluster.folder_actor import FolderActor, RemoteHome
from trainables.teachers.home import WEIGHTS

TEACHER, CHECKPOINT = "0123", "checkpoint.safetensors"


@pytest.fixture
def other_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RemoteHome]:
    """Return a function that makes the home of a worker on another node; the driver's cache is `home`."""
    monkeypatch.setattr(folder_actor, "_call", lambda method, *arguments: method(*arguments))
    monkeypatch.setattr(folder_actor, "LOCK_POLL_SECONDS", 0.0)
    context = SimpleNamespace(get_node_id=lambda: "other")
    monkeypatch.setattr(folder_actor.ray, "get_runtime_context", lambda: context)
    actor: Any = FolderActor(tmp_path / "run", tmp_path / "home")
    return lambda: RemoteHome(actor, "driver", tmp_path / "home")


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_teacher_is_locked_once_where_nodes_see_one_cache(other_node, tmp_path):
    """As with a home directory on NFS, or two nodes of one machine: a second lock of the file would wait forever."""
    folder, home = tmp_path / "home" / TEACHER, other_node()
    write(folder / f"{folder_actor.MARKER}of-a-dead-driver", "")
    with home.locked(folder):
        write(folder / CHECKPOINT, "1")
        home.publish(folder)
        home.fetch(folder)
        (folder / CHECKPOINT).rename(folder / WEIGHTS)
        home.publish(folder)
        with other_node().locked(folder):  # of another worker, after the first has died
            assert (folder / WEIGHTS).read_text() == "1"
    assert sorted(path.name for path in folder.iterdir()) == ["lock", WEIGHTS]


def test_a_cache_that_is_shown_late_is_waited_for(other_node, tmp_path, monkeypatch):
    """As by NFS: the node does not see yet that its teacher's folder is the driver's, whose lock is held."""
    answers, exists = iter([False, False, True]), Path.exists

    def late(path: Path) -> bool:
        return next(answers) if path.name.startswith(folder_actor.MARKER) else exists(path)

    monkeypatch.setattr(Path, "exists", late)
    with other_node().locked(tmp_path / "home" / TEACHER):
        assert next(answers, None) is None


def test_a_node_with_a_cache_of_its_own_copies_a_teacher_both_ways(other_node, tmp_path):
    folder, copy, home = tmp_path / "home" / TEACHER, tmp_path / "node" / TEACHER, other_node()
    write(folder / CHECKPOINT, "new")
    write(copy / CHECKPOINT, "old")
    write(copy / WEIGHTS, "of another search")
    with home.locked(copy):
        home.fetch(copy)
        assert [path.read_text() for path in copy.glob("*.*")] == ["new"]
        (copy / CHECKPOINT).rename(copy / WEIGHTS)
        home.publish(copy)
    assert [path.name for path in folder.glob("*.*")] == [WEIGHTS]
    assert folder.joinpath(WEIGHTS).read_text() == "new"
