"""Uploads of the changed files of one experiment."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from results.remote.folder import RemoteFolder
from search.mirror.files import file_groups, is_removable, local_path, local_version, read_content, teacher_of_file
from search.mirror.lease import Lease
from spaces import disk

UPLOADS = 8  # at the same time


class FolderMirror:
    """Copies a folder, and the teachers in use, to a remote folder.

    Its state is in a file beside the folder: the lease's session, and the version of each file at its last upload.
    """

    def __init__(self, folder: Path, remote: RemoteFolder, lease: Lease, sent: dict[str, tuple[int, int]]) -> None:
        self.folder, self.remote, self.lease = folder, remote, lease
        self.teachers = {key for name in sent if (key := teacher_of_file(name))}
        self._sent, self._uploading = sent, threading.Lock()

    def push(self) -> int:
        """Upload the changed files; return their number.

        Raises RemoteError, or UserError if another driver took the lease.
        """
        with self._uploading:
            began = time.time()
            self.lease.renew()
            groups = [group for group in file_groups(self.folder, frozenset(self.teachers)) if self._has_changed(group)]
            with ThreadPoolExecutor(UPLOADS) as pool:
                uploaded = sum(pool.map(self._upload_group, groups))
            for name in list(self._sent):
                if is_removable(name) and not self._path(name).exists():
                    self.remote.remove(name)
                    del self._sent[name]
            self.lease.renew(mirrored=began)
            self.save_state()
        return uploaded

    def save_state(self) -> None:
        """Write the state of this folder."""
        state = {"uri": self.remote.uri, "session": self.lease.record.session, "sent": self._sent}
        disk.write_atomically(state_file(self.folder), json.dumps(state).encode())

    def _path(self, name: str) -> Path:
        return local_path(self.folder, name)

    def _has_changed(self, group: tuple[str, ...]) -> bool:
        versions = {name: local_version(self._path(name)) for name in group}
        return any(version and self._sent.get(name) != version for name, version in versions.items())

    def _upload_group(self, group: tuple[str, ...]) -> int:
        changed = {}
        for name in reversed(group):
            version = local_version(self._path(name))
            if version and self._sent.get(name) != version:
                try:
                    changed[name] = version, read_content(self._path(name))
                except FileNotFoundError:  # removed in between
                    continue
        for name, (version, content) in reversed(changed.items()):
            self.remote.write(name, content)
            self._sent[name] = version
        return len(changed)


def state_file(folder: Path) -> Path:
    """Return the file with the state of a mirrored folder."""
    return folder.parent / "mirror.json"


def read_state(folder: Path) -> dict[str, Any]:
    """Return the state of a mirrored folder, empty without one."""
    try:
        state = json.loads(state_file(folder).read_text())
        return {**state, "sent": {name: (size, time_ns) for name, (size, time_ns) in state["sent"].items()}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent or damaged: the folder is restored
        return {}
