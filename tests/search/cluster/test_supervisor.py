"""Supervisor and driver: restarts, signals and ends, with a socket in place of Ray."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.cluster import supervisor
from search.cluster.restart_plan import RestartPlan, restart_plan

ROOT = Path(__file__).parents[3]
SCRIPT = """
import os, signal, socket, sys, time
from search.cluster.restart_plan import RayLostError, RestartPlan, ray_watched, restart_plan
from search.cluster.supervisor import supervise

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
restart = {restart}

def main(arguments):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ray = socket.create_server(("127.0.0.1", 0))
    addresses = {{"master (GCS)": "127.0.0.1:%d" % ray.getsockname()[1]}}
    plan = RestartPlan("/nowhere", "python -m search.run x.yaml --out y", restart)
    try:
        with restart_plan(plan), ray_watched(addresses):
            print("run", arguments, os.getpid(), flush=True)
            {body}
    except KeyboardInterrupt:
        return 130
    return 0

sys.exit(supervise(main, ["x.yaml", "--fresh"]))
"""
FIRST, RESUMED = "run ['x.yaml', '--fresh']", "run ['x.yaml', '--out', 'y']"
TO_GO_ON = "To go on: python -m search.run x.yaml --out y"
FIRST_RUN = "'--fresh' in arguments"
SLEEP = "print('asleep', flush=True), time.sleep(10**6)"
ENDED = f"try: {SLEEP}\nfinally: os._exit(1)"


def script(body: str, restart: bool = True) -> dict[str, Any]:
    """Return the arguments of a process."""
    command = [sys.executable, "-c", SCRIPT.format(body=body, restart=restart)]
    return {"args": command, "cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a search; kill it after the test."""
    processes: list[subprocess.Popen[str]] = []

    def started(body: str) -> subprocess.Popen[str]:
        processes.append(subprocess.Popen(**script(body)))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def complete(body: str, restart: bool = True) -> tuple[int, list[str], list[str]]:
    """Return exit code, output lines and the lines of the runs without their process ids."""
    process = subprocess.run(**script(body, restart), timeout=540)
    lines = process.stdout.splitlines()
    return process.returncode, lines, [line.rpartition(" ")[0] for line in lines if line.startswith("run ")]


def test_a_driver_that_ray_ended_is_restarted_by_the_command_that_resumes():
    code, lines, runs = complete(f"os._exit(1) if {FIRST_RUN} else None")
    assert (code, runs) == (0, [FIRST, RESUMED])
    assert "Ray's master (GCS) died. Restarting Ray; students resume from their last epochs." in lines


def test_a_driver_that_hangs_in_a_dead_ray_is_killed_and_restarted():
    hang = f"{FIRST_RUN} and (ray.close(), signal.pthread_sigmask(signal.SIG_BLOCK, [15]), time.sleep(10**6))"
    code, lines, runs = complete(hang)
    assert (code, runs) == (0, [FIRST, RESUMED]), lines
    assert "Ray's master (GCS) died. Restarting Ray; students resume from their last epochs." in lines


def test_restarts_are_bounded_and_the_dead_process_is_named():
    code, lines, runs = complete("ray.close(); raise ValueError")
    assert code == 4 and runs == [FIRST, *[RESUMED] * 3]
    assert f"Ray's master (GCS) died. {TO_GO_ON}" in lines


def test_dropped_students_restart_the_search():
    code, lines, runs = complete(f"if {FIRST_RUN}: raise RayLostError('Ray dropped 2 students twice')")
    assert (code, runs) == (0, [FIRST, RESUMED])
    assert any(line.startswith("Ray dropped 2 students twice. Restarting Ray;") for line in lines)


def test_a_search_on_a_cluster_is_not_restarted():
    code, lines, runs = complete("os._exit(1)", restart=False)
    assert (code, runs) == (4, [FIRST]) and f"Ray's master (GCS) died. {TO_GO_ON}" in lines


def test_a_living_ray_that_ends_a_driver_is_not_called_dead():
    """As from a machine outside the cluster, where Ray's own code ends the process."""
    plan = RestartPlan("/nowhere", "python -m search.run x.yaml", restart=False)
    with socket.create_server(("127.0.0.1", 0)) as living:
        address = f"127.0.0.1:{living.getsockname()[1]}"
        reasons = []
        for addresses in (None, {"raylet": address}, {"raylet": "127.0.0.1:9"}):
            with restart_plan(plan._replace(addresses=addresses)):
                ended = supervisor._plan_after_exit()
            assert ended is not None
            reasons.append(ended.reason)
    assert reasons == [
        "Ray ended the search while it connected or disconnected",
        "Ray ended the search, though its raylet and its master (GCS) answer",
        "Ray's raylet died",
    ]


@pytest.mark.parametrize(("body", "code"), [("raise ValueError", 1), ("sys.exit(7)", 7), ("pass", 0)])
def test_a_driver_that_ends_by_itself_is_not_restarted(body, code):
    assert complete(body)[::2] == (code, [FIRST])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("last", [SLEEP, f"exec({ENDED!r})"], ids=["by itself", "by Ray"])
def test_an_interrupted_search_is_not_restarted(number, last, start):
    """Nor if Ray ends the driver during its interruption."""
    process = start(last)
    assert process.stdout.readline().startswith("run ") and process.stdout.readline() == "asleep\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=540)
    assert process.returncode == (4 if "_exit" in last else 130) and "run " not in output.replace("search.run ", "")


def test_a_killed_supervisor_takes_its_driver_with_it(start):
    process = start(SLEEP)
    driver = int(process.stdout.readline().split()[-1])
    assert driver != process.pid
    process.kill()
    process.wait()
    while is_alive(driver):  # until the test times out
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
