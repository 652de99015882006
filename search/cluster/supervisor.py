"""Supervisor process: restart a search when its Ray died.

`python -m search.run` forks. The child is Ray's driver and runs the search. The parent has no connection to Ray, so it
survives what the driver does not:

- The raylet of the driver's node died: Ray exits the driver with code 1, without a message, at the driver's next
  request to that raylet. No handler or thread in the driver can prevent it.
- The GCS server died: the driver blocks inside Ray for 60 seconds, then Ray exits it.

The parent watches the exit code of the driver, connects to both Ray processes once a second, and kills the driver if
one of them is dead. Then it runs the command that resumes, at most RESTARTS times. After that, and for a cluster
(--address), it writes the tables and prints that command.

A search that is started from Python (`from search import run`) has no supervisor: Ray exits its process, and the same
call resumes it.

Decision: "A search runs as a child process of a process without Ray" (docs/decisions.md).
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from search.cluster.heartbeat import dead_process
from search.cluster.restart_plan import RAY_EXIT_CODE, SUPERVISED, RestartPlan, read_plan, write_plan
from spaces.errors import UserError

LOST_EXIT_CODE = 4  # of a search without Ray and without restarts left
RESTARTS = 3
HEARTBEAT_SECONDS = 1.0  # between two connections to Ray's processes
POLL_SECONDS = 0.02  # between two looks at the exit code of the driver
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DriverEnd(NamedTuple):
    """End of a driver process; `plan` is set if Ray ended it."""

    code: int
    plan: RestartPlan | None
    interrupted: bool  # by SIGINT or SIGTERM


def supervise(
    main: Callable[[Sequence[str]], int],
    arguments: Sequence[str],
    after_tables: Callable[[Path], None] = lambda folder: None,
) -> int:
    """Run a command line in a child process; restart after Ray died.

    Returns the exit code of the last child. `main` takes the arguments, `after_tables` the folder of a search that
    cannot be restarted.
    """
    if sys.platform != "linux":  # fork is not reliable elsewhere
        return main(arguments)
    restarts = RESTARTS
    while True:
        end = _run_driver(lambda: main(arguments))  # noqa: B023  # called before `arguments` changes
        if end.plan is None:
            return end.code
        if end.interrupted or not end.plan.restart or not restarts:
            return _write_final_tables(end.plan, after_tables)
        _print_line(f"{end.plan.reason}. Restarting Ray; students resume from their last epochs.")
        arguments, restarts = shlex.split(end.plan.command)[3:], restarts - 1


def _run_driver(work: Callable[[], int]) -> DriverEnd:
    """Fork a driver and wait for its end.

    SIGINT and SIGTERM reach the driver once, as SIGTERM: a terminal would send Ctrl-C to both processes.
    """
    write_plan(None)
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until both processes have their handlers
    driver = os.fork()
    if not driver:
        os.close(write_end)
        _end_with_supervisor(read_end)
        exit_quickly(work())
    os.close(read_end)
    handlers = [signal.getsignal(number) for number in SIGNALS]
    received: list[int] = []

    def forward(number: int, frame: object) -> None:
        received.append(number)
        with suppress(ProcessLookupError):  # the driver has just ended
            os.kill(driver, signal.SIGTERM)

    _handle_signals(forward)
    code, plan = _wait_for_driver(driver)
    for number, handler in zip(SIGNALS, handlers, strict=True):
        signal.signal(number, handler)
    os.close(write_end)
    return DriverEnd(code if code >= 0 else 128 - code, plan, bool(received))


def _wait_for_driver(driver: int) -> tuple[int, RestartPlan | None]:
    """Wait for a driver and kill it if Ray dies.

    Returns its exit code, and its plan if Ray died.
    """
    next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
    while not (ended := os.waitpid(driver, os.WNOHANG))[0]:
        if time.monotonic() >= next_heartbeat:
            if plan := _plan_of_dead_ray():
                os.kill(driver, signal.SIGKILL)  # blocked inside Ray, it would ignore anything else
                return os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]), plan
            next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        time.sleep(POLL_SECONDS)
    code = os.waitstatus_to_exitcode(ended[1])
    return code, _plan_after_exit() if code == RAY_EXIT_CODE else None


def _plan_after_exit() -> RestartPlan | None:
    """Return the plan of a driver that Ray ended, with the reason."""
    plan = read_plan()
    if plan is None or plan.reason:
        return plan
    dead = dead_process(plan.addresses or {})
    if plan.addresses is None:
        return plan._replace(reason="Ray ended the search while it connected or disconnected")
    # a private Ray ends with its driver
    died = f"Ray's {dead or 'raylet'} died" if dead or plan.restart else None
    return plan._replace(reason=died or "Ray ended the search, though its raylet and its master (GCS) answer")


def _plan_of_dead_ray() -> RestartPlan | None:
    plan = read_plan()
    dead = dead_process(plan.addresses) if plan and plan.addresses else None
    if plan and dead and read_plan() == plan:  # otherwise the driver is shutting Ray down
        return plan._replace(reason=f"Ray's {dead} died")
    return None


def _write_final_tables(plan: RestartPlan, after_tables: Callable[[Path], None]) -> int:
    from results.rebuild import rebuild_results  # here: loads pandas and the plotting libraries

    _print_line(f"\n{plan.reason}. To go on: {plan.command}")
    try:
        rebuild_results(plan.folder)
        after_tables(Path(plan.folder))
    except UserError as error:
        print(error, file=sys.stderr)
    return LOST_EXIT_CODE


def _print_line(line: str) -> None:
    from rich.console import Console  # here: most searches end without such a line

    console = Console()
    console.show_cursor()  # which the driver's progress bar may have hidden
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _end_with_supervisor(pipe: int) -> None:
    """Make a new driver end with its supervisor.

    Signals come from there only.
    """

    def wait() -> None:
        os.read(pipe, 1)  # returns when the supervisor ends, and with it the pipe
        os.kill(os.getpid(), signal.SIGKILL)

    SUPERVISED.set()
    threading.Thread(target=wait, daemon=True, name="supervisor-watch").start()
    _handle_signals(lambda *_: None)


def _handle_signals(handler: Callable[..., object]) -> None:
    """Install a handler and unblock the signals.

    A shell ignores SIGINT in background jobs; it stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def exit_quickly(code: int) -> NoReturn:
    """End this process without the interpreter's shutdown.

    torch alone would take seconds there.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
