"""Restore of a folder from a URI."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from results.remote.experiment_copy import download
from results.remote.folder import RemoteFolder
from results.students import histories
from search.mirror.files import local_path, local_version, teacher_of_file
from search.mirror.folder_mirror import state_file
from search.mirror.lease import LeaseRecord
from trainables.teachers.cache import is_complete, teacher_folder
from trainables.teachers.home import WEIGHTS

MAX_NAMED = 5  # students in one line

PrintLine = Callable[[str], None]


def move_files_aside(remote: RemoteFolder, folder: Path, print_line: PrintLine) -> None:
    """Move the files at a URI to URI.DATE-TIME.

    The folder of this machine is removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    ending = f".{datetime.now():%Y%m%d-%H%M%S}"
    names = remote.files()
    for name in names:
        remote.move_file(name, ending)
    if names:
        print_line(f"Old folder moved to {remote.uri}{ending}")


def restore_folder(
    remote: RemoteFolder, folder: Path, last: LeaseRecord | None, print_line: PrintLine
) -> dict[str, tuple[int, int]]:
    """Replace a folder by the files at a URI; return their versions.

    A folder of this machine that is left alone has been continued elsewhere. Teachers are put into the cache.
    """
    state_file(folder).unlink(missing_ok=True)  # a restore that is cut off is repeated
    names = list(remote.files())
    if folder.exists():
        if names:
            shutil.rmtree(folder)
        else:
            aside = folder.with_name(f"{folder.name}.{datetime.now():%Y%m%d-%H%M%S}")
            folder.rename(aside)
            print_line(f"{remote.uri} is empty: its folder on this machine moved to {aside}")
    teachers = {key for name in names if (key := teacher_of_file(name))}
    cached = {key for key in teachers if is_complete(teacher_folder(key))}
    needed = [name for name in names if teacher_of_file(name) not in cached]
    for mark in (False, True):  # weights come last: they mark the folder of a teacher as complete
        batch = [name for name in needed if name.endswith(f"/{WEIGHTS}") == mark]
        download(remote, batch, lambda name: local_path(folder, name))
    if names:
        print_line(_restored_line(remote, folder, last))
    return {name: version for name in names if (version := local_version(local_path(folder, name)))}


def _restored_line(remote: RemoteFolder, folder: Path, last: LeaseRecord | None) -> str:
    """Describe a restored folder and the epochs to repeat."""
    students = list(histories(folder))
    line = f"{remote.uri}: restored {len(students)} students to {folder}"
    if last is None or last.ended:
        return line
    time_text = f"{datetime.fromtimestamp(last.mirrored, UTC):%Y-%m-%d %H:%M:%S} UTC"
    open_students = [past for past in students if not past.end]
    names = [f"{past.start['trial']} from epoch {len(past.epochs) + 1}" for past in open_students[:MAX_NAMED]]
    names += [f"{len(open_students) - MAX_NAMED} more"] * (len(open_students) > MAX_NAMED)
    lines = [
        f"{line}, as they were at {time_text}; {len(students) - len(open_students)} of them have ended",
        f"trained again: {', '.join([*names, 'students that began later'])}",
    ]
    return "\n".join(lines)
