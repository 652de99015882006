"""Search at a URI: restore, mirror, last upload.

Decision: "A search at a URI works in a folder of its machine" (docs/decisions.md).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from results.remote.folder import RemoteError, RemoteFolder
from search.cluster.signals import signals_ignored
from search.mirror.folder_mirror import FolderMirror, read_state
from search.mirror.lease import RENEW_SECONDS, Lease, LeaseLostError, LeaseRecord
from search.mirror.restore import move_files_aside, restore_folder
from spaces.errors import UserError

MIRROR_SECONDS = 30.0  # between the starts of two uploads
FINAL_TRIES = 3
RETRY_SECONDS = 5.0

PrintLine = Callable[[str], None]


@contextmanager
def mirrored(remote: RemoteFolder, folder: Path, fresh: bool, print_line: PrintLine) -> Iterator[set[str]]:
    """Restore a folder, and mirror it during this block.

    The last upload is at its end. Yields a set for the keys of the teachers in use; they are mirrored as well. `fresh`
    moves the files at the URI aside. Raises UserError while another driver uses the URI, and RemoteError if it cannot
    be reached at the start or at the end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.parent / "lock", timeout=0):
            state, lease = read_state(folder), Lease(remote)
            last = lease.acquire(state.get("session"), print_line)
            with _repeated(lease.renew, RENEW_SECONDS, print_line):
                sent = _sent_files(remote, folder, fresh, state, last, print_line)
                mirror = FolderMirror(folder, remote, lease, sent)
                mirror.save_state()
                with _uploading(mirror, print_line):
                    yield mirror.teachers
    except Timeout:
        raise UserError(f"{remote.uri}: in use by another run on this machine; wait for its end") from None


def _sent_files(
    remote: RemoteFolder,
    folder: Path,
    fresh: bool,
    state: Mapping[str, Any],
    last: LeaseRecord | None,
    print_line: PrintLine,
) -> dict[str, tuple[int, int]]:
    """Return the files at the URI; restore an outdated folder."""
    if fresh:
        move_files_aside(remote, folder, print_line)
        return {}
    if last and last.session == state.get("session") and folder.is_dir():
        return state["sent"]
    return restore_folder(remote, folder, last, print_line)


@contextmanager
def _uploading(mirror: FolderMirror, print_line: PrintLine) -> Iterator[None]:
    """Upload during this block, and at its end."""
    try:
        with _repeated(mirror.push, MIRROR_SECONDS, print_line):
            yield
    except BaseException:
        with signals_ignored():
            try:
                _push_last(mirror)
            except UserError as error:
                print_line(str(error))
        raise
    with signals_ignored():
        _push_last(mirror)


@contextmanager
def _repeated(action: Callable[[], object], seconds: float, print_line: PrintLine) -> Iterator[None]:
    """Call an action in intervals during this block; print its errors.

    An error is printed once in a row. A lost lease ends the search.
    """
    stop = threading.Event()

    def repeat() -> None:
        printed = ""
        while not stop.wait(seconds):
            try:
                action()
                printed = ""
            except LeaseLostError as error:
                print_line(str(error))
                _interrupt_search()
                return
            except UserError as error:
                if str(error) != printed:
                    printed = str(error)
                    print_line(f"{printed}; the search goes on, and this is tried again")

    thread = threading.Thread(target=repeat, daemon=True, name="mirror")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        with signals_ignored():
            thread.join()


def _interrupt_search() -> None:
    """End the search in order, as Ctrl-C does."""
    is_handled = signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM if is_handled else signal.SIGINT)


def _push_last(mirror: FolderMirror) -> None:
    """Upload the last changes and end the lease."""
    for attempt in range(1, FINAL_TRIES + 1):
        try:
            mirror.push()
            mirror.lease.release()
            return
        except RemoteError as error:
            if attempt == FINAL_TRIES:
                remedy = "run the same command again on this machine, which uploads it"
                raise RemoteError(f"{error}; everything is in {mirror.folder}; {remedy}") from None
            time.sleep(RETRY_SECONDS)


def push_after_driver(folder: Path) -> None:
    """Upload the folder of a dead driver, if it was mirrored."""
    state = read_state(folder)
    if not state:
        return
    remote = RemoteFolder(state["uri"])
    record = Lease(remote).read()
    if record and record.session == state["session"]:
        _push_last(FolderMirror(folder, remote, Lease(remote, record), state["sent"]))
