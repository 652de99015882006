"""SIGKILL for Ray's processes: workers, raylet, GCS server, and one of two nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FULL, only_in_full
from test_driver import trained

from results import paths, records

ROOT = Path(__file__).parents[2]


def records_of(folder: Path) -> str:
    """Return the rows of each student in short, for the message of a failed test."""
    rows_by_trial = {trial: records.read_rows(folder, trial) for trial in records.trial_names(folder)}
    return "\n".join(
        f"{trial}: {[(row['kind'], row.get('epoch'), row['time']) for row in rows]}"
        for trial, rows in rows_by_trial.items()
    )


WORKER = "ray::ImplicitFunc.train"  # title of a process that trains a student


def kill_process(run, title: str) -> bool:
    """Send SIGKILL to one process of a run by its title; return False if there is none."""
    processes = [process for process in run.living_processes() if process.title.split(" ")[0].endswith(title)]
    if processes:
        os.kill(processes[0].pid, signal.SIGKILL)
    return bool(processes)


@pytest.mark.slow
@only_in_full
def test_a_student_resumes_after_its_worker_died(grid, tmp_path, start, slow_space, assert_same, tally):
    space, folder, tries = slow_space(tmp_path), tmp_path / "run", 3 if FULL else 1
    run = start(space, folder)
    for number in range(1, tries + 1):
        run.wait_until(lambda number=number: trained(folder) >= 5 * number and kill_process(run, WORKER))
    assert run.wait() == 0, run.output()
    assert run.output().count("its worker process died; it goes on from its last epoch (retry ") == tries
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= tries
    tally("SIGKILL of a worker", tries=tries, repeated=repeated)


@pytest.mark.slow
@only_in_full
def test_students_that_share_a_ray_trial_lose_nothing(tmp_path, start, write, assert_same, tally):
    """48 short students: one of the workers is killed, then the whole run."""
    train, seeds = {"epochs": 4, "batch_size": 16}, list(range(16))
    parts = {"method": {"name": "hinton", "alpha": {"choice": [0.5, 0.9]}, "temperature": 4}, "train": train}
    space, folder = write(tmp_path / "x.yaml", seeds=seeds, **parts), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: trained(folder) >= 20 and kill_process(run, WORKER))
    run.wait_until(lambda: run.output().count("in its pack: its worker process died") == 1)
    epochs = trained(folder)
    run.wait_until(lambda: trained(folder) >= epochs + 20)
    run.kill()
    assert run.remaining_processes() == set()
    again, undisturbed = start(space, folder), tmp_path / "undisturbed"
    assert again.wait() == 0, again.output()
    assert start(space, undisturbed).wait() == 0
    assert_same(folder, undisturbed)
    assert len(records.trial_names(folder)) == 48
    repeated = trained(folder) - trained(undisturbed)
    assert repeated <= 3  # one of the worker's student, two of the killed run
    tally("SIGKILL of a worker and of a run, several students per Ray trial", tries=2, repeated=repeated)


SLEEPY = '''
"""A method whose students are shorter than the start of a worker, and need no processor."""
import time
from pathlib import Path

from torch.nn.functional import cross_entropy

from trainables.methods import METHODS

AWAKE = Path({awake!r})


def sleepy(student, teacher, labels, *, alpha: float, strength: float):
    """Cross-entropy, late until a file exists."""
    if not AWAKE.exists():
        time.sleep(0.7)
    return strength * cross_entropy(student.logits, labels, reduction="none")


METHODS["sleepy"] = sleepy
'''


@pytest.mark.slow
def test_a_dead_worker_is_replaced_among_short_students(tmp_path, start, write, tally):
    """Tune alone gives each trial to the living worker, and kills the worker that starts."""
    plugin, folder = tmp_path / "sleepy.py", tmp_path / "run"
    plugin.write_text(SLEEPY.format(awake=str(tmp_path / "awake")))
    method = {"name": "sleepy", "alpha": 1, "strength": 1}
    parts = {"method": method, "seeds": list(range(64)), "train": {"epochs": 1, "batch_size": 512}}
    space = write(tmp_path / "x.yaml", resources={"pack": 1, "workers": 2}, **parts)
    run = start(space, folder, "--plugin", str(plugin))

    def workers() -> set[int]:
        return {process.pid for process in run.living_processes() if process.title.startswith("ray::ImplicitFunc")}

    run.wait_until(lambda: trained(folder) >= 4 and len(workers()) == 2)
    before = workers()
    run.wait_until(lambda: kill_process(run, WORKER))
    run.wait_until(lambda: any(title_of(run, pid) == WORKER for pid in workers() - before))
    (tmp_path / "awake").touch()
    assert run.wait() == 0, run.output()
    assert len(records.trial_names(folder)) == 128 and run.output().count("(retry ") == 1
    tally("SIGKILL of a worker among students shorter than its start", tries=1, note="replaced")


def title_of(run, pid: int) -> str:
    """Return the first word of a process's title."""
    return next((process.title.split(" ")[0] for process in run.living_processes() if process.pid == pid), "")


@pytest.mark.slow
def test_a_student_that_always_kills_its_worker_fails_and_others_finish(tmp_path, start, write, tally):
    plugin = tmp_path / "deadly.py"
    plugin.write_text(DEADLY)
    method = {"name": "deadly", "alpha": 1, "strength": {"choice": [1, 3]}}
    space = write(tmp_path / "x.yaml", method=method, train={"epochs": 2, "batch_size": 64})
    run = start(space, tmp_path / "run", "--plugin", str(plugin))
    assert run.wait() == 3, run.output()
    lines = paths.students_file(tmp_path / "run").read_text()
    assert "its worker process died 4 times" in lines and lines.count("finished") == 2
    assert run.output().count("(retry ") == 3
    tally("a student that always kills its worker", tries=4, note="three retries, then failed with its reason")


DEADLY = '''
"""A method that kills its process, like an operating system without free memory."""
import os
import sys

from torch.nn.functional import cross_entropy

from trainables.methods import METHODS


def deadly(student, teacher, labels, *, alpha: float, strength: float):
    """Cross-entropy."""
    if strength == 3 and sys.argv[0].endswith("default_worker.py"):
        os.kill(os.getpid(), 9)
    return strength * cross_entropy(student.logits, labels, reduction="none")


METHODS["deadly"] = deadly
'''


@pytest.mark.slow
def test_a_teacher_resumes_after_its_process_died(tmp_path, places, start, slow_space, tally):
    teacher = {"model": {"name": "mlp", "hidden": [91]}, "train": {"epochs": 12, "batch_size": 4}}  # not a short one
    space, folder = slow_space(tmp_path, teacher=teacher, seeds=[0]), tmp_path / "run"
    before = set(places.glob("teachers/*"))
    run = start(space, folder)
    run.wait_until(
        lambda: (
            any((path / "checkpoint.safetensors").exists() for path in set(places.glob("teachers/*")) - before)
            and kill_process(run, "ray::_train_on_ray")
        )
    )
    assert run.wait() == 0, run.output()
    assert "its worker process died; it goes on from its last epoch (retry 1 of 3)" in run.output()
    (teacher,) = records.read_teachers(folder).values()
    assert teacher["epochs"] == 12
    tally("SIGKILL of the process that trains a teacher", tries=1)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("title", "name"), [("raylet", "raylet"), ("gcs_server", "master (GCS)")])
def test_a_dead_ray_is_restarted(title, name, grid, tmp_path, start, slow_space, assert_same, tally):
    """Also if the driver hangs inside Ray, or if Ray ends it."""
    space, folder, tries = slow_space(tmp_path), tmp_path / "run", 3 if FULL else 1
    seconds, run = [], start(space, folder)
    for number in range(1, tries + 1):
        run.wait_until(lambda number=number: trained(folder) >= 4 * number and is_training(run))
        assert kill_process(run, title)
        seconds.append(seconds_until_restart(run, number))
        assert run.output().count(f"Ray's {name} died. Restarting Ray;") == number, run.output()
    assert run.wait() == 0, run.output()
    assert run.output().count("died") == tries and "Traceback" not in run.output()
    assert run.remaining_processes() == set()
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    note = f"restarted after {max(seconds):.1f} s at most"
    tally(f"SIGKILL of {title}", tries=tries, repeated=repeated, note=note)


def is_training(run) -> bool:
    """Return True if a living raylet has a training worker; workers of a dead raylet live on for seconds."""
    processes = run.living_processes()
    raylets = {process.pid for process in processes if process.title.split(" ")[0].endswith("raylet")}
    return any(process.title.startswith("ray::ImplicitFunc") and process.parent in raylets for process in processes)


def seconds_until_restart(run, number: int) -> float:
    """Return the seconds until the run reports Ray's death number `number`; Ray itself would take longer."""
    began = time.monotonic()
    run.wait_until(lambda: run.output().count("'s raylet died") + run.output().count("(GCS) died") == number)
    seconds = time.monotonic() - began
    assert seconds < 60  # after which Ray ends the driver
    return seconds


@pytest.mark.slow
@only_in_full
def test_a_ray_that_dies_four_times_ends_the_run_with_tables(tmp_path, start, slow_space, tally):
    space, folder = slow_space(tmp_path, train={"epochs": 40, "batch_size": 2}), tmp_path / "run"
    run = start(space, folder)
    for number in range(1, 5):
        run.wait_until(lambda: is_training(run))
        assert kill_process(run, "raylet")
        if number < 4:
            seconds_until_restart(run, number)
    assert run.wait() == 4, run.output()
    assert run.output().count("Ray's raylet died. Restarting Ray;") == 3
    assert f"To go on: python -m search.run {space} --out {folder}" in run.output()
    assert paths.students_file(folder).is_file() and "Traceback" not in run.output()
    assert run.remaining_processes() == set()
    tally("a raylet that dies four times", tries=4, note="exit 4 with tables and the command that resumes")


# A cluster of two nodes. A line of input kills the second, the end of the input ends the cluster.
NODES = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 * 2**20})
second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(second, allow_graceful=False)
print("removed", flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def nodes(tmp_path, monkeypatch) -> Iterator[subprocess.Popen[str]]:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    with open(tmp_path / "cluster.txt", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", NODES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_health_check_period_ms": "300"},
            cwd=ROOT,
        )
    yield process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
@only_in_full
def test_students_of_a_dead_node_resume_on_another(nodes, grid, tmp_path, start, slow_space, assert_same, tally):
    address = next(line.strip() for line in nodes.stdout if line.count(":") == 1 and line.strip()[-1].isdigit())
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder, "--address", address)
    run.wait_until(lambda: trained(folder) >= 5)
    nodes.stdin.write("now\n")
    nodes.stdin.flush()
    assert any("removed" in line for line in nodes.stdout)
    assert run.wait() == 0, run.output()
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2, records_of(folder)
    tally("a node of two dies", tries=1, repeated=repeated)
