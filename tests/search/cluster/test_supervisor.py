"""A search that Ray ends without a word is taken up by its parent; signals and ends go both ways."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import os, signal, sys, time
from search.outlive import Will, abandon, outlived, will

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

def main(arguments, restarts):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with will(Will("/nowhere", "python -m search.run x.yaml --out y", restarts)):
            print("run", arguments, restarts, os.getpid(), flush=True)
            {body}
    except KeyboardInterrupt:
        return 130
    return 0

sys.argv = ["x", "x.yaml", "--fresh"]
sys.exit(outlived(main))
"""


def start(body: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT.format(body=body)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(body: str) -> tuple[int, list[str]]:
    process = start(body)
    said, _ = process.communicate(timeout=200)
    return process.returncode, said.splitlines()


def test_who_ends_without_a_word_is_started_again_by_the_command_that_resumes():
    code, said = ended("os._exit(1) if restarts > 1 else None")
    runs = [line.rpartition(" ")[0] for line in said if line.startswith("run ")]
    assert runs == ["run ['x.yaml', '--fresh'] 3", "run ['x.yaml', '--out', 'y'] 2", "run ['x.yaml', '--out', 'y'] 1"]
    anew = "Ray's raylet died; it is started anew, and students go on from their last epochs"
    assert code == 0 and said.count(anew) == 2


def test_a_bounded_number_of_times_and_what_died_is_named():
    code, said = ended("abandon('master (GCS)')")
    assert code == 4 and sum(line.startswith("run ") for line in said) == 4
    assert "Ray's master (GCS) died. To go on: python -m search.run x.yaml --out y" in said


@pytest.mark.parametrize(("body", "code"), [("raise ValueError", 1), ("sys.exit(7)", 7), ("pass", 0)])
def test_who_ends_by_itself_is_not(body, code):
    found, said = ended(body)
    assert found == code and sum(line.startswith("run ") for line in said) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("last", ["time.sleep(100)", "exec('try: time.sleep(100)\\nfinally: os._exit(1)')"])
def test_who_is_told_to_end_ends_once_and_for_all(number, last):
    process = start(last)
    assert process.stdout is not None and process.stdout.readline().startswith("run ")
    time.sleep(0.5)  # until it is at its last words
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == (4 if "_exit" in last else 130) and "run " not in said.replace("search.run ", "")


def test_a_killed_parent_takes_its_child_with_it():
    process = start("time.sleep(100)")
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[-1])
    assert child != process.pid
    process.kill()
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
