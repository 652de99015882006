"""Atomic writes, full disks, and partial files of killed processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spaces import disk
from spaces.errors import UserError, exits_on_user_error


def test_write_creates_folders(tmp_path: Path) -> None:
    disk.write_atomically(tmp_path / "a" / "x", b"old")
    disk.write_atomically(tmp_path / "a" / "x", b"new")
    assert (tmp_path / "a" / "x").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("place", ["os.fsync", "tempfile.mkstemp", "pathlib.Path.mkdir"])
def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    disk.write_atomically(tmp_path / "x", b"old")
    with monkeypatch.context() as broken:
        broken.setattr(place, full)
        with pytest.raises(
            UserError, match=rf"^{tmp_path}/x: {os.strerror(number)}: 5,000 bytes needed, [\d,]+ free; "
        ):
            disk.write_atomically(tmp_path / "x", b"n" * 5000)
    assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_bytes() == b"old"


def test_other_errors_are_not_changed(tmp_path: Path) -> None:
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"), disk.atomic_file(tmp_path / "x", 1):
        raise error


LIMITED = """
import resource, sys
from pathlib import Path
from spaces import disk
from spaces.errors import UserError

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    disk.write_atomically(Path(sys.argv[1]), bytes(2000))
except UserError as error:
    print(error)
"""


def test_file_size_limit(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "x")], capture_output=True, text=True)
    assert "x: File too large: 2,000 bytes needed" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from spaces import disk

os.fsync = lambda file: (print(os.getpid(), flush=True), signal.pause())
disk.write_atomically(Path(sys.argv[1]), b"half")
"""


@pytest.fixture
def writing(tmp_path: Path):
    """A process during a write, and its partial file."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "a" / "x")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    (part,) = (tmp_path / "a").iterdir()
    yield process, part
    process.kill()
    process.wait()
    process.stdout.close()


def test_partial_file_of_a_killed_process_is_removed(tmp_path: Path, writing) -> None:
    process, part = writing
    disk.write_atomically(tmp_path / "a" / "whole", b"")
    (tmp_path / "a" / ".lock").touch()
    assert disk.remove_partial_files(tmp_path) == [] and part.exists()
    process.kill()
    process.wait()
    assert disk.remove_partial_files(tmp_path) == [part]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".lock", "whole"]


NAMES: dict[str, Callable[[], str]] = {
    "of another machine": lambda: ".x.elsewhere.1.ab12cd34.part",
    "of an earlier version": lambda: ".student.safetensors.4194999",
}


@pytest.mark.parametrize("name", NAMES)
def test_partial_file_of_another_machine_is_removed_after_a_day(tmp_path: Path, name: str) -> None:
    partial = tmp_path / NAMES[name]()
    partial.touch()
    assert disk.remove_partial_files(tmp_path) == []
    os.utime(partial, times=(time.time() - 25 * 3600,) * 2)
    assert disk.remove_partial_files(tmp_path) == [partial]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    partial = outside / f".x.{disk.HOST_NAME}.4194999.ab12cd34.part"
    partial.touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".link").symlink_to(outside)
    assert disk.remove_partial_files(tmp_path / "run") == [] and partial.exists()


@pytest.mark.parametrize("path", ["file/x/y.csv", "x" * 300])
def test_a_path_that_cannot_be_written_is_named(tmp_path, path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as error:
        disk.write_atomically(tmp_path / path, b"content")
    assert str(error.value).startswith(f"{tmp_path / path}: cannot be written (")


@pytest.mark.parametrize("path", ["/proc/x.csv", "/proc/x/y.csv"])
def test_a_path_that_even_root_cannot_make_is_named(path):
    """Not the partial file, which the user never named; a file that is missing in the block is another error."""
    with pytest.raises(UserError) as error:
        disk.write_atomically(path, b"content")
    assert str(error.value) == f"{path}: cannot be written (No such file or directory)"
    with pytest.raises(FileNotFoundError), disk.path_errors_as_user_errors(Path("/runs/x.csv")):
        raise FileNotFoundError(2, "No such file or directory", "/data/input.csv")


def test_a_read_only_folder_is_named(tmp_path, read_only):
    with read_only(tmp_path), pytest.raises(UserError) as error:
        assert not disk.is_writable(tmp_path)
        disk.write_atomically(tmp_path / "x.csv", b"content")
    assert str(error.value) == f"{tmp_path}/x.csv: cannot be written (Read-only file system)"


def test_the_error_of_a_path_ends_a_command_with_one_line(capsys):
    @exits_on_user_error
    def main(path: str | None) -> int:
        raise OSError(30, "Read-only file system", path)

    assert main("runs/x") == 2 and capsys.readouterr().err == "runs/x: Read-only file system\n"
    with pytest.raises(OSError, match="Read-only"):
        main(None)
