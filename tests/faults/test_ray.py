"""Ray's own processes are killed: workers, raylet, master, a node of two."""

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

from results import records

ROOT = Path(__file__).parents[2]


def records_of(folder: Path) -> str:
    """What was written of each student in the order of its rows, for a person who wonders."""
    told = {trial: records.rows(folder, trial) for trial in records.trials(folder)}
    return "\n".join(
        f"{trial}: {[(row['kind'], row.get('epoch'), row['time']) for row in rows]}" for trial, rows in told.items()
    )


def strike(run, title: str) -> bool:
    """SIGKILL for one process of a run whose command begins like this; False where there is none."""
    found = [each for each in run.family() if each.title.split(" ")[0].endswith(title)]
    if found:
        os.kill(found[0].pid, signal.SIGKILL)
    return bool(found)


@pytest.mark.slow
def test_a_student_whose_worker_dies_goes_on_and_the_retry_is_shown(grid, tmp_path, start, slow_space, same, tally):
    space, folder, tries = slow_space(tmp_path), tmp_path / "run", 3 if FULL else 1
    run = start(space, folder)
    for number in range(1, tries + 1):
        run.until(lambda number=number: trained(folder) >= 5 * number)
        assert strike(run, "ray::ImplicitFunc.train")
    assert run.wait() == 0, run.said()
    assert run.said().count("its worker process died; it goes on from its last epoch (retry ") == tries
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= tries
    tally("SIGKILL of a worker", tries=tries, repeated=repeated)


@pytest.mark.slow
@only_in_full
def test_students_that_take_turns_lose_nothing(tmp_path, start, write, same, tally):
    """48 brief students: a worker is killed among those that share its Ray trial, then the whole run."""
    train, seeds = {"epochs": 4, "batch_size": 16}, list(range(16))
    parts = {"method": {"name": "hinton", "alpha": {"choice": [0.5, 0.9]}, "temperature": 4}, "train": train}
    space, folder = write(tmp_path / "x.yaml", seeds=seeds, **parts), tmp_path / "run"
    run = start(space, folder)
    run.until(lambda: trained(folder) >= 20)
    assert strike(run, "ray::ImplicitFunc.train")
    run.until(lambda: run.said().count("in its pack: its worker process died") == 1)
    struck = trained(folder)
    run.until(lambda: trained(folder) >= struck + 20)
    run.kill()
    assert run.alone(60) == set()
    again, whole = start(space, folder), tmp_path / "whole"
    assert again.wait() == 0, again.said()
    assert start(space, whole).wait() == 0
    same(folder, whole)
    assert len(records.trials(folder)) == 48
    repeated = trained(folder) - trained(whole)
    assert repeated <= 3  # of the worker's student, and of two when the run was killed
    tally("SIGKILL of a worker and of a run whose students take turns", tries=2, repeated=repeated)


@pytest.mark.slow
def test_a_worker_that_always_dies_is_given_up_and_the_others_go_on(tmp_path, start, write, tally):
    plugin = tmp_path / "deadly.py"
    plugin.write_text(DEADLY)
    method = {"name": "deadly", "alpha": 1, "strength": {"choice": [1, 3]}}
    space = write(tmp_path / "x.yaml", method=method, train={"epochs": 2, "batch_size": 64})
    run = start(space, tmp_path / "run", "--plugin", str(plugin))
    assert run.wait() == 3, run.said()
    lines = records.students_file(tmp_path / "run").read_text()
    assert "its worker process died 4 times" in lines and lines.count("finished") == 2
    assert run.said().count("(retry ") == 3
    tally("a student whose worker always dies", tries=4, note="three retries, then failed with its reason")


DEADLY = '''
"""A method that ends its process, as an operating system short of memory would."""
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
def test_a_teacher_whose_process_dies_goes_on(tmp_path, places, start, slow_space, tally):
    teacher = {"model": {"name": "mlp", "hidden": [91]}, "train": {"epochs": 12, "batch_size": 8}}
    space, folder = slow_space(tmp_path, teacher=teacher, seeds=[0]), tmp_path / "run"
    before = set(places.glob("teachers/*"))
    run = start(space, folder)
    run.until(
        lambda: any((path / "checkpoint.safetensors").exists() for path in set(places.glob("teachers/*")) - before)
    )
    assert strike(run, "ray::_lectures")
    assert run.wait() == 0, run.said()
    assert "its worker process died; it goes on from its last epoch (retry 1 of 3)" in run.said()
    (teacher,) = records.teachers(folder).values()
    assert teacher["epochs"] == 12
    tally("SIGKILL of the process that teaches", tries=1)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("title", "named"), [("raylet", "raylet"), ("gcs_server", "master (GCS)")])
def test_a_dead_ray_is_noticed_and_started_anew(title, named, grid, tmp_path, start, slow_space, same, tally):
    """Also where the driver waits inside of Ray, or is ended by it."""
    space, folder, tries = slow_space(tmp_path), tmp_path / "run", 3 if FULL else 1
    seconds, run = [], start(space, folder)
    for number in range(1, tries + 1):
        run.until(lambda number=number: trained(folder) >= 4 * number and at_work(run))
        assert strike(run, title)
        seconds.append(noticed(run, number))
        assert run.said().count(f"Ray's {named} died; it is started anew") == number, run.said()
    assert run.wait(400) == 0, run.said()
    assert run.said().count("died") == tries and "Traceback" not in run.said()
    assert run.alone(150) == set()
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    told = f"said after {max(seconds):.1f} s at most; started anew"
    tally(f"SIGKILL of {title}", tries=tries, repeated=repeated, note=told)


def at_work(run) -> bool:
    """Whether a living raylet has a worker that trains; those of a dead one linger for seconds."""
    family = run.family()
    raylets = {each.pid for each in family if each.title.split(" ")[0].endswith("raylet")}
    return any(each.title.startswith("ray::ImplicitFunc") and each.parent in raylets for each in family)


def noticed(run, number: int) -> float:
    """Seconds until the run says that Ray died, for the given time; asserts that they are fewer than 30."""
    began = time.monotonic()
    run.until(lambda: run.said().count("'s raylet died") + run.said().count("(GCS) died") == number, 120)
    seconds = time.monotonic() - began
    assert seconds < 30
    return seconds


@pytest.mark.slow
@only_in_full
def test_a_ray_that_dies_again_and_again_ends_the_run_with_its_tables(tmp_path, start, slow_space, tally):
    space, folder = slow_space(tmp_path, train={"epochs": 40, "batch_size": 2}), tmp_path / "run"
    run = start(space, folder)
    for number in range(1, 5):
        run.until(lambda: at_work(run))
        assert strike(run, "raylet")
        if number < 4:
            noticed(run, number)
    assert run.wait(120) == 4, run.said()
    assert run.said().count("Ray's raylet died; it is started anew") == 3
    assert f"To go on: python -m search.run {space} --out {folder}" in run.said()
    assert records.students_file(folder).is_file() and "Traceback" not in run.said()
    assert run.alone(150) == set()
    tally("a raylet that dies four times", tries=4, note="exit 4 with tables and the command that resumes")


# A cluster of two nodes whose second dies when told to; it ends with its standard input.
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
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            cwd=ROOT,
        )
    yield process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.mark.slow
def test_the_students_of_a_dead_node_move(nodes, grid, tmp_path, start, slow_space, same, tally):
    address = next(line.strip() for line in nodes.stdout if line.count(":") == 1 and line.strip()[-1].isdigit())
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder, "--address", address)
    run.until(lambda: trained(folder) >= 5)
    nodes.stdin.write("now\n")
    nodes.stdin.flush()
    assert any("removed" in line for line in nodes.stdout)
    assert run.wait() == 0, run.said()
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2, records_of(folder)
    tally("a node of two dies", tries=1, repeated=repeated)
