"""A search as the child of a process that has no Ray, and so lives on where Ray ends the one that it is in.

A process whose raylet died is ended by Ray, without a word, as soon as it asks the raylet for anything: no handler and
no thread of its own can prevent that. The parent then starts the search again, which goes on from its rows, or writes
the tables of what there is.
"""

from __future__ import annotations

import atexit
import json
import mmap
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from rich.console import Console

from spaces.errors import UserError

ENDED = 1  # the exit code with which Ray ends a process
LOST = 4  # the exit code of a search whose Ray died for good
RESTARTS = 3  # of a Ray of our own that died
BOTH = (signal.SIGINT, signal.SIGTERM)
CHILD = threading.Event()  # whether this process has a parent that outlives it
SHARED = mmap.mmap(-1, 2**16)  # between parent and child: the will


class RestartPlan(NamedTuple):
    """What a search wants done where it does not end by itself: tables in its folder, or its command once more."""

    folder: str
    command: str
    restarts: int  # that are left
    dead: str = "raylet"


@contextmanager
def restart_plan(wanted: RestartPlan) -> Iterator[None]:
    """Let the parent, if there is one, act on a will if this process is ended inside this block."""
    _write(json.dumps(wanted).encode())
    try:
        yield
    finally:
        _write(b"")


def abandon(dead: str) -> None:
    """End this process, whatever its other threads wait for, and leave the rest to its parent, if there is one."""
    left = _read()
    if CHILD.is_set() and left is not None:
        _write(json.dumps(left._replace(dead=dead)).encode())
        os._exit(ENDED)


def outlived(main: Callable[[Sequence[str], int], int]) -> int:
    """Run a command line of arguments and of restarts left in a child process and return its exit code."""
    arguments, restarts = sys.argv[1:], RESTARTS
    if sys.platform != "linux":  # where forked processes cannot be relied on
        return main(arguments, restarts)
    while True:
        code, left = _run(lambda: main(arguments, restarts))  # noqa: B023  # called in this turn of the loop
        if code != ENDED or left is None:
            return code
        if left.restarts == 0:
            return _settle(left)
        _say(f"Ray's {left.dead} died; it is started anew, and students go on from their last epochs")
        arguments, restarts = shlex.split(left.command)[3:], left.restarts - 1


def _run(work: Callable[[], int]) -> tuple[int, RestartPlan | None]:
    """Exit code and will of a child that does the work and gets each SIGINT and SIGTERM once, as a SIGTERM.

    Who has been told to end is not to be started again.
    """
    _write(b"")
    ours, theirs = os.pipe()
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, BOTH)  # until each of the two knows its answer
    child = os.fork()
    if not child:
        os.close(theirs)
        _follow(ours)
        leave(work())
    os.close(ours)
    before = [signal.getsignal(each) for each in BOTH]
    told: list[int] = []

    def tell(number: int, frame: object) -> None:
        told.append(number)
        os.kill(child, signal.SIGTERM)

    _answer(tell)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for each, handler in zip(BOTH, before, strict=True):
        signal.signal(each, handler)
    os.close(theirs)
    left = _read()
    return (code if code >= 0 else 128 - code), left._replace(restarts=0) if left and told else left


def leave(code: int) -> NoReturn:
    """End this process without Python's own end, which takes torch apart object by object: seconds for nothing."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _follow(parent: int) -> None:
    """Make this process end with its parent, and leave a terminal's Ctrl-C, which reaches both, to that alone."""

    def wait() -> None:
        os.read(parent, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    CHILD.set()
    threading.Thread(target=wait, daemon=True, name="follow").start()
    _answer(lambda *_: None)


def _answer(handler: Callable[..., object]) -> None:
    """Take signals by this handler from now on, but not those that a shell lets its background jobs ignore."""
    for each in BOTH:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BOTH)


def _settle(left: RestartPlan) -> int:
    """The tables of what there is, and how to go on."""
    from results.rebuild import rebuild  # here, because whoever only waits has no need of pandas

    _say(f"\nRay's {left.dead} died. To go on: {left.command}")
    try:
        rebuild(left.folder)
    except UserError as error:
        print(error, file=sys.stderr)
    return LOST


def _write(text: bytes) -> None:
    SHARED.seek(0)
    SHARED.write(text.ljust(len(SHARED), b"\0"))


def _read() -> RestartPlan | None:
    text = SHARED[:].rstrip(b"\0")
    return RestartPlan(*json.loads(text)) if text else None


def _say(line: str) -> None:
    """Below whatever the child drew last, with the cursor that it may have hidden."""
    console = Console()
    console.show_cursor()
    console.print(line, highlight=False, markup=False, soft_wrap=True)
