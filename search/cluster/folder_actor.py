"""Folders of the driver's node for workers of a cluster.

An actor on the driver's node owns the experiment's folder and the teacher cache. RemoteStore and RemoteHome call it
from the workers. A call returns when its files are on disk. An actor that dies is restarted, and the call repeated:
a row may then stand in a file twice, which its readers expect.

Decision: "A worker of a cluster writes through an actor of the driver's node" (docs/decisions.md).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray
from filelock import FileLock, Timeout
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results.students import History
from search.students.store import FolderStore, StudentChange, StudentStore
from spaces import disk
from trainables.data.locations import cache_folder
from trainables.teachers.home import WEIGHTS, CacheHome
from trainables.weights.published import file_sha256

LOCK_POLL_SECONDS = 1.0  # between two attempts to lock a teacher that another search trains
MARKER = "home-"  # name of a file beside a locked teacher, before random characters
CONCURRENT_CALLS = 8  # of one actor: a large file of one worker does not delay the rows of others


class FolderActor:
    """Owner of an experiment's folder and of the teacher cache."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._store, self._cache = FolderStore(folder), cache
        self._locks: dict[str, FileLock] = {}
        self._marker = f"{MARKER}{uuid.uuid4().hex}"

    def histories(self, keys: Sequence[str]) -> list[History | None]:
        """See StudentStore."""
        return self._store.histories(keys)

    def checkpoints(self, keys: Sequence[str]) -> list[bytes | None]:
        """See StudentStore."""
        return self._store.checkpoints(keys)

    def write(self, changes: Sequence[StudentChange]) -> None:
        """See StudentStore."""
        self._store.write(changes)

    def lock_teacher(self, name: str) -> str | None:
        """Lock a teacher; return the name of a file in its folder.

        Returns None while another search has it locked. A lock of this search is kept when its worker dies, for the
        next worker.
        """
        folder = self._cache / name
        lock = self._locks.setdefault(name, FileLock(folder / "lock", timeout=0, thread_local=False))
        if lock.is_locked:
            return self._marker
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            return None
        for remnant in folder.glob(f"{MARKER}*"):
            remnant.unlink()
        (folder / self._marker).touch()
        return self._marker

    def unlock_teacher(self, name: str) -> None:
        """Release the lock of a teacher.

        A restarted actor does not hold it.
        """
        (self._cache / name / self._marker).unlink(missing_ok=True)
        if name in self._locks:
            self._locks[name].release()

    def teacher_digests(self, name: str) -> dict[str, str]:
        """Return the SHA-256 of each file of a teacher."""
        return {path.name: file_sha256(path) for path in teacher_files(self._cache / name)}

    def read_teacher_file(self, name: str, file: str) -> np.ndarray:
        """Return the bytes of one file of a teacher."""
        return np.fromfile(self._cache / name / file, np.uint8)

    def write_teacher_file(self, name: str, file: str, content: np.ndarray) -> None:
        """Write one file of a teacher."""
        disk.write_atomically(self._cache / name / file, content.data)

    def remove_teacher_file(self, name: str, file: str) -> None:
        """Remove one file of a teacher."""
        (self._cache / name / file).unlink(missing_ok=True)


class DriverFolders(NamedTuple):
    """Store and teacher cache of the driver, as its workers reach them."""

    store: StudentStore
    teacher_home: CacheHome


def local_folders(folder: Path) -> DriverFolders:
    """Return the folders of workers on the driver's machine."""
    return DriverFolders(FolderStore(folder), CacheHome())


def cluster_folders(folder: Path) -> DriverFolders:
    """Start this node's actor; return the folders for all nodes."""
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    options: dict[str, Any] = {"num_cpus": 0, "scheduling_strategy": here, "max_concurrency": CONCURRENT_CALLS}
    options |= {"max_restarts": -1, "max_task_retries": -1}
    actor = ray.remote(FolderActor).options(**options).remote(folder, cache_folder())
    return DriverFolders(RemoteStore(actor), RemoteHome(actor, node, cache_folder()))


class RemoteStore:
    """Store of a worker on any node."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def histories(self, keys: Sequence[str]) -> list[History | None]:
        """See StudentStore."""
        return _call(self._actor.histories, keys)

    def checkpoints(self, keys: Sequence[str]) -> list[bytes | None]:
        """See StudentStore."""
        return _call(self._actor.checkpoints, keys)

    def write(self, changes: Sequence[StudentChange]) -> None:
        """See StudentStore."""
        _call(self._actor.write, changes)


class RemoteHome(CacheHome):
    """Teacher cache of the driver's node, copied to this node's cache.

    `node` and `cache` are those of the driver: a worker in the same folder copies nothing. Another node may see the
    home as its own cache, as two nodes of one machine do, or two with one home directory on NFS.
    """

    is_single_machine = False

    def __init__(self, actor: Any, node: str, cache: Path) -> None:
        self._actor, self._node, self._cache = actor, node, cache
        self._same: dict[Path, tuple[int, int]] = {}  # size and time of files that are equal to the home's
        self._sees_home = False

    def _is_here(self) -> bool:
        return ray.get_runtime_context().get_node_id() == self._node and cache_folder() == self._cache

    @contextmanager
    def locked(self, folder: Path, timeout: float = -1) -> Iterator[None]:
        """Hold the lock of one teacher, at home and on this node."""
        if self._is_here():
            with super().locked(folder, timeout):
                yield
            return
        while (marker := _call(self._actor.lock_teacher, folder.name)) is None:
            time.sleep(LOCK_POLL_SECONDS)
        try:
            with ExitStack() as stack:
                # NFS may show the new folder late: its lock, held by the actor, is tried until then.
                while not (sees_home := (folder / marker).exists()):
                    with suppress(Timeout):
                        stack.enter_context(super().locked(folder, LOCK_POLL_SECONDS))
                        break
                self._sees_home = sees_home
                yield
        finally:
            _call(self._actor.unlock_teacher, folder.name)

    def fetch(self, folder: Path) -> None:
        """Copy a teacher's folder from the home, if present.

        A teacher that only this node has stays, and is published later. If this is the home itself, files are missing
        where NFS shows it late; none is removed.
        """
        if self._is_here():
            return
        digests = _call(self._actor.teacher_digests, folder.name)
        for path in teacher_files(folder) if digests and not self._sees_home else []:
            if digests.get(path.name) != file_sha256(path):
                path.unlink()
        for name in _weights_last(digests):
            if not (folder / name).exists():
                disk.write_atomically(folder / name, _call(self._actor.read_teacher_file, folder.name, name).data)
            self._same[folder / name] = disk.file_version(folder / name)

    def publish(self, folder: Path) -> None:
        """Send new and changed files to the home, and remove others there."""
        if self._is_here():
            return
        present = {path.name: path for path in teacher_files(folder)}
        for name in _weights_last(present):
            version = disk.file_version(present[name])
            if self._same.get(present[name]) != version:
                _call(self._actor.write_teacher_file, folder.name, name, np.fromfile(present[name], np.uint8))
                # A home that is this folder has written the file again.
                self._same[present[name]] = disk.file_version(present[name])
        for path in [path for path in self._same if path.parent == folder and path.name not in present]:
            _call(self._actor.remove_teacher_file, folder.name, path.name)
            del self._same[path]


def teacher_files(folder: Path) -> list[Path]:
    """Return the files of a cached teacher, without locks and partial files."""
    return [path for path in sorted(folder.glob("*.*")) if path.suffix in (".npy", ".safetensors") and path.is_file()]


def _weights_last(names: Any) -> list[str]:
    return sorted(names, key=lambda name: (name == WEIGHTS, name))


def _call(method: Any, *arguments: Any) -> Any:
    """Call a method of the actor; raise its own errors, such as a UserError."""
    try:
        return ray.get(method.remote(*arguments))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
