"""Files of an experiment, in upload order.

A restored folder must be one that a killed search could have left. Of a student, final weights come before the rows
with its end, and rows before the checkpoint of their epoch. A group is read in the opposite order and then uploaded, so
changes in between leave it consistent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from results import paths
from results.remote.experiment_copy import TEACHER_FOLDER
from spaces.disk import file_version
from trainables.data.locations import cache_folder
from trainables.teachers.cache import CHECKPOINT, LOGITS
from trainables.teachers.home import WEIGHTS

STUDENT_FILES = (paths.weights_file, paths.rows_file, paths.checkpoint_file)  # in the order of their upload
TEACHER_FILES = (*LOGITS.values(), WEIGHTS, CHECKPOINT)  # other outputs are computed again
STUDENTS = paths.trial_folder("", "").name
ROWS = paths.rows_file("", "").name


def file_groups(folder: Path, teachers: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the names of all files, in groups.

    Each group is in the order of its upload. Files of a student or teacher may be absent. `teachers` are keys of the
    teacher cache.
    """
    yield from ((path.name,) for path in _visible(folder) if path.is_file())
    for key in sorted(teachers):
        yield tuple(f"{TEACHER_FOLDER}/{key}/{name}" for name in TEACHER_FILES)
    for path in _visible(folder / STUDENTS):
        yield tuple(str(place("", path.name)) for place in STUDENT_FILES)
    for parent in _visible(folder):
        if parent.is_dir() and parent.name != STUDENTS:
            yield from (
                (str(path.relative_to(folder)),) for path in sorted(parent.rglob("*")) if _is_visible_file(path)
            )


def local_path(folder: Path, name: str) -> Path:
    """Return the place of a file; teachers are in the cache."""
    first, _, rest = name.partition("/")
    return cache_folder() / rest if first == TEACHER_FOLDER else folder / name


def teacher_of_file(name: str) -> str | None:
    """Return the key of a teacher's file, None for other files."""
    first, _, rest = name.partition("/")
    return rest.partition("/")[0] if first == TEACHER_FOLDER else None


def is_removable(name: str) -> bool:
    """Return True if the mirror follows the removal of a file.

    The cache may be pruned, so of a teacher only the checkpoint is.
    """
    return teacher_of_file(name) is None or name.endswith(f"/{CHECKPOINT}")


def local_version(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file, None for a missing one."""
    try:
        return file_version(path)
    except OSError:
        return None


def read_content(path: Path) -> bytes:
    """Return the content of a file, without a partial row."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1] if path.name == ROWS else content


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*")) if not path.name.startswith(".")]


def _is_visible_file(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()
