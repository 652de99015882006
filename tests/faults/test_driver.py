"""SIGKILL of a whole run, repeatedly and in every phase: the same command completes it with equal results."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import FULL, only_in_full

from results import paths, records
from results.students import History, histories

PHASES = ("start", "teacher training", "first reports", "mid-run", "confirm", "tables")
LOG_STATE = "tensorboard/rows.sha256"  # written after the tables
ADAPTIVE: dict[str, Any] = {
    "method": {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": {"loguniform": [1, 16]}},
    "search": {"algorithm": "tpe", "scheduler": "asha", "trials": 8, "grace_period": 1, "reduction": 2},
    "confirm": {"top": 1, "seeds": [5]},
    "seeds": [0],
    "table": None,
    "resources": {"workers": 1},  # so that TPE repeats its proposals
}
FRONT: dict[str, Any] = {
    **ADAPTIVE,
    "student": {"model": {"name": "mlp", "hidden": {"choice": [[4], [8], [16]]}}},
    "search": {"metrics": ["val_accuracy", "parameters"], "trials": 6},
    "confirm": {"top": 2, "seeds": [5]},
}
SEARCHES = {
    "grid": ("a grid", {"seeds": [0]}),
    "adaptive": ("TPE + ASHA with confirm", ADAPTIVE),
    "front": ("a search with two objectives", FRONT),
}


def phase(folder: Path, teachers: Path, begun: set[Path]) -> str:
    """Return the phase of a run, read from its files."""
    past = list(histories(folder))
    if not past:
        return "teacher training" if set(teachers.glob("*/checkpoint.safetensors")) - begun else "start"
    if paths.students_file(folder).exists() and not (folder / LOG_STATE).exists():
        return "tables"
    if any(student.start["stage"] == "confirm" and not student.end for student in past):
        return "confirm"
    done = sum(len(student.epochs) for student in past)
    return "start" if not done else "first reports" if done <= 2 else "mid-run"


def trained(folder: Path) -> int:
    """Return the number of trained epochs, repeated ones included."""
    rows = (row for trial in records.trial_names(folder) for row in records.read_rows(folder, trial))
    return sum(row["kind"] == "epoch" for row in rows)


def ended(folder: Path) -> dict[str, History]:
    return {past.start["trial"]: past for past in histories(folder) if past.end}


class Chain:
    """One experiment, killed several times; `hits` counts the phases of its kills."""

    def __init__(self, start: Callable[..., Any], space: Path, folder: Path, teachers: Path):
        self.start, self.space, self.folder, self.teachers = start, space, folder, teachers
        self.hits: Counter[str] = Counter()
        self.lost = 0

    def kill(self, target: str, random: Random) -> None:
        """Run until a phase, some epochs longer, and kill; count students with changed rows as lost."""
        for name in (LOG_STATE, "students.csv"):
            (self.folder / name).unlink(missing_ok=True)
        begun = set(self.teachers.glob("*/checkpoint.safetensors")) if not any(self.folder.glob("trials/*")) else set()
        run = self.start(self.space, self.folder)
        epochs = trained(self.folder) + random.randrange(1, 5)
        run.wait_until(lambda: run.process.poll() is not None or self.is_in_phase(target, begun, epochs))
        before = ended(self.folder)
        is_alive = run.process.poll() is None
        run.kill()
        self.hits[phase(self.folder, self.teachers, begun)] += is_alive
        assert run.remaining_processes() == set()
        after = ended(self.folder)
        self.lost += sum(after.get(trial) != past for trial, past in before.items())

    def is_in_phase(self, target: str, begun: set[Path], epochs: int) -> bool:
        now = phase(self.folder, self.teachers, begun)
        if now != target:
            return PHASES.index(now) > PHASES.index(target)  # the process of the tests had to wait
        return target in ("teacher training", "tables", "first reports") or trained(self.folder) >= epochs

    def finish(self) -> None:
        run = self.start(self.space, self.folder)
        assert run.wait() == 0, run.output()
        assert run.remaining_processes() == set()


def kill_phases(kind: str, full: bool) -> list[list[str]]:
    """Return the phases of the kills, one list per experiment; unless `full`, each phase once."""
    if not full:
        return [["teacher training", "mid-run", "tables"] if kind == "grid" else ["first reports", "confirm"]]
    return [["teacher training", "first reports", "mid-run", "mid-run" if kind == "grid" else "confirm", "tables"]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grid", "adaptive", pytest.param("front", marks=only_in_full)])
def test_a_killed_search_resumes_with_equal_results(kind, places, tmp_path, start, slow_space, assert_same, tally):
    """Rows of a front are resumed from in tests/search/algorithms/test_resume.py; here with all processes."""
    title, parts = SEARCHES[kind]
    hits: Counter[str] = Counter()
    lost = repeated = 0
    chains = kill_phases(kind, FULL)
    for number, phases in enumerate(chains):
        # a teacher that is not in the cache
        teacher = {"model": {"name": "mlp", "hidden": [40 + number + (20 if kind == "grid" else 0)]}}
        teacher["train"] = {"epochs": 8, "batch_size": 8}
        folder = tmp_path / f"{kind}{number}"
        space = slow_space(tmp_path, teacher=teacher, **parts)
        killed = Chain(start, space, folder, places / "teachers")
        for moment, name in enumerate(phases):
            killed.kill(name, Random(f"{kind}{number}{moment}"))
        killed.finish()
        undisturbed = Chain(start, space, tmp_path / f"{kind}{number}.whole", places / "teachers")
        undisturbed.finish()
        hits += killed.hits
        lost += killed.lost
        repeated += trained(folder) - sum(len(past.epochs) for past in histories(folder))
        (compare_grids if kind == "grid" else compare_searches)(folder, undisturbed.folder, assert_same)
    assert not FULL or all(hits[name] >= 2 for phases in chains for name in phases), hits  # on an idle machine
    tries = sum(hits.values())
    assert tries, "every run had ended before its kill"
    # two students train at once, and a kill may cost the current epoch of both
    assert repeated <= 2 * tries
    phase_counts = ", ".join(f"{name} {count}" for name, count in sorted(hits.items()))
    tally(
        f"SIGKILL of the driver and all its processes, {title}",
        tries=tries,
        lost=lost,
        repeated=repeated,
        note=phase_counts,
    )


def compare_grids(folder: Path, expected: Path, assert_same: Callable[[Path, Path], None]) -> None:
    """All numbers and weights are equal, bit for bit."""
    assert_same(folder, expected)


def compare_searches(folder: Path, expected: Path, assert_same: Callable[[Path, Path], None]) -> None:
    """All students ended once; students of both searches have equal epochs.

    In full, on an idle machine, both have the same students. On a busy one Ray may drop a student, and its result then
    comes too late for some proposals.
    """
    resumed, undisturbed = ({past.start["trial"]: past for past in histories(path)} for path in (folder, expected))
    statuses = {past.end["status"] for past in (*resumed.values(), *undisturbed.values())}
    proposals = {sum(bool(past.start["suggested"]) for past in search.values()) for search in (resumed, undisturbed)}
    assert statuses <= {"finished", "stopped"} and len(proposals) == 1
    assert not FULL or resumed.keys() == undisturbed.keys()
    for trial in resumed.keys() & undisturbed.keys():
        for epoch, expected_epoch in zip(resumed[trial].epochs, undisturbed[trial].epochs, strict=FULL):
            for name in ("train_loss", "val_loss"):
                assert epoch[name] == expected_epoch[name]


@pytest.mark.slow
@only_in_full
def test_processes_of_a_killed_driver_end(grid, tmp_path, start, slow_space, assert_same, tally):
    """SIGKILL for the supervisor only; the next run starts at once, and no process of the first disturbs it."""
    space, folder = slow_space(tmp_path), tmp_path / "run"
    tries = 3 if FULL else 1
    for number in range(1, tries + 1):
        run = start(space, folder)
        run.wait_until(lambda number=number: trained(folder) >= 4 * number)
        os.kill(run.process.pid, signal.SIGKILL)
        run.wait()
    again = start(space, folder)
    assert again.wait() == 0, again.output()
    assert run.remaining_processes() == set()
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    tally("SIGKILL of the driver alone, resumed at once", tries=tries, repeated=repeated)
