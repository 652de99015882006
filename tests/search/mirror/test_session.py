"""Searches at a URI: restore, mirror, lease. Students are rows written by hand."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from results import paths, records
from results.remote.folder import RemoteError, RemoteFolder
from search.mirror import folder_mirror, lease, session
from search.mirror.lease import Lease, LeaseLostError
from search.mirror.session import mirrored, push_after_driver
from spaces import disk
from spaces.errors import UserError
from trainables.teachers.cache import teacher_folder

Machine = Callable[[str], Path]


@pytest.fixture(autouse=True)
def short_times(monkeypatch) -> None:
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 0.4)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(lease, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(session, "RETRY_SECONDS", 0.0)


@pytest.fixture
def remote(bucket) -> RemoteFolder:
    return RemoteFolder(f"{bucket}/run")


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    """Return a function that changes to another machine; returns the experiment's folder there."""

    def change(name: str) -> Path:
        monkeypatch.setenv("KD_CACHE", str(tmp_path / name / "teachers"))
        return tmp_path / name / "run"

    return change


def write_student(folder: Path, key: str, epochs: int, *, ended: bool = False) -> None:
    start = {"kind": "student", "trial": key, "stage": "explore", "seed": 0, "time": 0.0}
    rows = [
        {"kind": "epoch", "epoch": e, "val_accuracy": 0.5, "val_loss": 1.0, "time": 0.0} for e in range(1, epochs + 1)
    ]
    end = [{"kind": "end", "status": "finished", "time": 0.0}] if ended else []
    if ended:
        disk.write_atomically(paths.weights_file(folder, key), b"weights")
        paths.checkpoint_file(folder, key).unlink(missing_ok=True)
    paths.rows_file(folder, key).unlink(missing_ok=True)
    records.append_rows(folder, key, [start, *rows, *end])
    if not ended:
        disk.write_atomically(paths.checkpoint_file(folder, key), f"epoch {epochs}".encode())


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def killed(remote: RemoteFolder, folder: Path) -> Iterator[folder_mirror.FolderMirror]:
    """Mirror as a driver does that is killed at the end of the block."""
    own = Lease(remote)
    own.acquire(None, lambda line: None)
    mirror = folder_mirror.FolderMirror(folder, remote, own, {})
    mirror.save_state()
    yield mirror


def test_a_search_goes_on_on_another_machine(remote, machine):
    folder, lines = machine("first"), list[str]()
    with killed(remote, folder) as mirror:
        records.write_file(paths.space_file(folder), "name: run\n")
        records.write_file(paths.report_file(folder), "<p>")
        records.write_file(folder / ".lock", "")
        records.write_file(paths.tensorboard_folder(folder) / "a" / "events", "1")
        write_student(folder, "a", 2, ended=True)
        write_student(folder, "b", 2)
        mirror.teachers.add("teacher1")
        for name in ("weights.safetensors", "logits-val.npy", "views-1.npy"):
            disk.write_atomically(teacher_folder("teacher1") / name, name.encode())
        assert mirror.push() == 9
        mirrored_files = files_of(folder)
        write_student(folder, "b", 3)
        write_student(folder, "c", 1)
    folder = machine("second")
    with mirrored(remote, folder, False, lines.append) as teachers:
        expected = {name: content for name, content in mirrored_files.items() if name != ".lock"}
        assert files_of(folder) == expected and teachers == {"teacher1"}
        assert sorted(files_of(teacher_folder("teacher1"))) == ["logits-val.npy", "weights.safetensors"]
        write_student(folder, "b", 4, ended=True)
    assert "used by a search on" in lines[0] and "waiting up to 0 s" in lines[0]
    assert "restored 2 students" in lines[1] and "UTC; 1 of them have ended" in lines[1]
    assert lines[1].endswith("trained again: b from epoch 3, students that began later") and len(lines) == 2
    assert "trials/b/checkpoint.safetensors" not in remote.files()
    first = machine("first")
    with mirrored(remote, first, False, lines.append):  # left alone with rows of its own, and continued elsewhere
        assert files_of(first) == files_of(folder)
    assert lines[2] == f"{remote.uri}: restored 2 students to {first}"


def test_only_changes_are_uploaded(remote, machine):
    folder = machine("here")
    with killed(remote, folder) as mirror:
        for key in "abc":
            write_student(folder, key, 1)
        assert [mirror.push(), mirror.push()] == [6, 0]
        write_student(folder, "b", 2, ended=True)
        with paths.rows_file(folder, "c").open("ab") as file:
            file.write(b'{"kind": "epoch", "epo')  # a row that is being written
        assert mirror.push() == 3
    assert (remote.read("trials/c/epochs.jsonl") or b"").endswith(b"\n")
    assert remote.read("trials/b/student.safetensors") == b"weights"
    lines: list[str] = []
    with mirrored(remote, folder, False, lines.append):  # the same machine goes on at once
        pass
    assert lines == []


def test_files_of_a_student_stay_consistent_while_it_trains(remote, machine, monkeypatch):
    """Each write at the URI is followed by a change here; every state there is one that a killed search leaves."""
    folder = machine("here")
    with killed(remote, folder) as mirror:
        write_student(folder, "a", 1)
        write, states = remote.write, list[tuple[int, int, bool]]()

        def write_and_train(name: str, content: bytes) -> None:
            write(name, content)
            if name.startswith("trials"):
                rows = [row for row in (remote.read("trials/a/epochs.jsonl") or b"").split(b"\n") if b'"epoch"' in row]
                checkpoint = int((remote.read("trials/a/checkpoint.safetensors") or b"epoch 0").split()[1])
                states.append((len(rows), checkpoint, remote.read("trials/a/student.safetensors") is not None))
                write_student(folder, "a", len(rows) + 1, ended=len(rows) > 3)

        monkeypatch.setattr(remote, "write", write_and_train)
        for _ in range(6):
            mirror.push()
    assert len(states) > 6 and states[-1][2]
    assert all(checkpoint <= rows for rows, checkpoint, _ in states)
    assert b'"finished"' in (remote.read("trials/a/epochs.jsonl") or b"")


def test_a_second_driver_is_refused_while_the_first_one_lives(remote, machine, monkeypatch):
    folder, stop = machine("first"), threading.Event()
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 300.0)  # the first renewal ends the wait
    with killed(remote, folder) as mirror:
        thread = threading.Thread(target=lambda: [mirror.lease.renew() for _ in iter(lambda: stop.wait(0.02), True)])
        thread.start()
        other = machine("second")
        with pytest.raises(UserError, match=r"used by a search on .* \(process \d+\); wait for its end, or choose"):
            mirrored(remote, other, False, print).__enter__()
        stop.set()
        thread.join()
        monkeypatch.setattr(lease, "EXPIRY_SECONDS", 0.4)
        with mirrored(remote, other, False, lambda line: None):
            with pytest.raises(LeaseLostError, match="this search no longer writes to it"):
                mirror.push()
            with pytest.raises(UserError, match="in use by another run on this machine"):
                mirrored(remote, other, False, print).__enter__()


def test_a_search_whose_lease_was_taken_ends(remote, machine, monkeypatch):
    monkeypatch.setattr(session, "RENEW_SECONDS", 0.05)
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    lines: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt), mirrored(remote, machine("here"), False, lines.append):
            while True:  # a renewal that has just read its lease writes it once more
                remote.remove(lease.LEASE_FILE)
                time.sleep(0.2)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert "now without its lease" in lines[0]


def test_a_store_that_fails_at_the_end(remote, machine, monkeypatch):
    folder = machine("here")

    def fail(*arguments: object) -> None:
        raise RemoteError("s3://b/run: not reachable")

    write = remote.write
    with pytest.raises(RemoteError, match=r"everything is in .*; run the same command again on this machine"):  # noqa: SIM117
        with mirrored(remote, folder, False, print):
            write_student(folder, "a", 1)
            monkeypatch.setattr(remote, "write", fail)
    monkeypatch.setattr(remote, "write", write)
    assert "trials/a/epochs.jsonl" not in remote.files()
    push_after_driver(folder)
    assert "trials/a/epochs.jsonl" in remote.files()
    push_after_driver(machine("other"))  # a folder that is not mirrored


def test_fresh_moves_the_files_aside(remote, machine):
    folder, lines = machine("here"), list[str]()
    with mirrored(remote, folder, False, print):
        write_student(folder, "a", 1, ended=True)
    with mirrored(remote, folder, True, lines.append):
        assert not folder.exists() and remote.files() == {}
    aside = lines[0].removeprefix("Old folder moved to ")
    assert sorted(RemoteFolder(aside).files()) == ["trials/a/epochs.jsonl", "trials/a/student.safetensors"]


def test_a_folder_here_is_kept_if_the_uri_was_emptied(remote, machine):
    folder, lines = machine("here"), list[str]()
    with mirrored(remote, folder, False, print):
        write_student(folder, "a", 1, ended=True)
    for name in (*remote.files(), lease.LEASE_FILE):
        remote.remove(name)
    with mirrored(remote, folder, False, lines.append):
        assert not folder.exists()
    assert "its folder on this machine moved to" in lines[0]
    assert records.trial_names(lines[0].rpartition(" ")[2]) == ["a"]
