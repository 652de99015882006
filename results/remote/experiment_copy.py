"""Copies of experiments at a URI, for reading."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from results import paths
from results.remote.folder import RemoteError, RemoteFile, RemoteFolder
from results.remote.uri import copied_folder
from spaces import disk

CONNECTIONS = 16
TEACHER_FOLDER = "teacher_cache"  # in the folder at a URI: trained teachers, with which a search resumes
CHECKPOINT, WEIGHTS = (file("", "").name for file in (paths.checkpoint_file, paths.weights_file))


def copy_experiment(uri: str, with_weights: bool = False) -> Path:
    """Copy an experiment to this machine; return its folder.

    Copies what has changed since the last time. Raises RemoteError for an experiment that is missing.
    """
    folder = update_copy(RemoteFolder(uri), with_weights)
    if not paths.space_file(folder).exists():
        raise RemoteError(f"{uri}: not an experiment folder: it holds no space.yaml")
    return folder


def update_copy(remote: RemoteFolder, with_weights: bool = False) -> Path:
    """Copy the files of an experiment, perhaps none; return the folder."""
    folder = copied_folder(remote.uri)
    needed = {name: version for name, version in remote.files().items() if _is_read(name, with_weights)}
    index = folder.parent / "copied.json"
    copied = {name: RemoteFile(*version) for name, version in json.loads(_index_text(index)).items()}
    changed = [name for name, version in needed.items() if copied.get(name) != version or not (folder / name).exists()]
    download(remote, changed, lambda name: folder / name)
    for name in copied.keys() - needed.keys():
        if _is_read(name, with_weights):  # removed at the URI since
            (folder / name).unlink(missing_ok=True)
            del copied[name]
    disk.write_atomically(index, json.dumps({**copied, **needed}).encode())
    return folder


def download(remote: RemoteFolder, names: Iterable[str], place: Callable[[str], Path]) -> None:
    """Copy files of a remote folder to their places."""

    def copy(name: str) -> None:
        content = remote.read(name)
        if content is not None:  # removed since it was listed
            disk.write_atomically(place(name), content)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(copy, names))


def _is_read(name: str, with_weights: bool) -> bool:
    parts = name.split("/")
    if parts[0] == TEACHER_FOLDER or parts[0].startswith(paths.tensorboard_folder("").name):
        return False
    return parts[-1] != CHECKPOINT and (with_weights or parts[-1] != WEIGHTS)


def _index_text(path: Path) -> str:
    return path.read_text() if path.exists() else "{}"
