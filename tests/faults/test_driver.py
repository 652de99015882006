"""SIGKILL of a whole run, again and again, at moments of every phase: the same command ends as if nothing had been."""

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

from results import records
from results.students import History, histories

ADAPTIVE: dict[str, Any] = {
    "method": {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": {"loguniform": [1, 16]}},
    "search": {"algorithm": "tpe", "scheduler": "asha", "trials": 8, "grace_period": 1, "reduction": 2},
    "confirm": {"top": 1, "seeds": [5]},
    "seeds": [0],
    "table": None,
}


def phase(folder: Path, teachers: Path, begun: set[Path]) -> str:
    """What a run is doing, read from what it has written."""
    past = list(histories(folder))
    if not past:
        return "teaching" if set(teachers.glob("*/checkpoint.safetensors")) - begun else "start"
    if records.students_file(folder).exists() and not any(folder.glob("report.html")):
        return "tables"
    if any(each.start["stage"] == "confirm" and not each.end for each in past):
        return "confirm"
    done = sum(len(each.epochs) for each in past)
    return "start" if not done else "first reports" if done <= 2 else "mid-run"


def trained(folder: Path) -> int:
    """How often an epoch was trained."""
    rows = (row for trial in records.trials(folder) for row in records.rows(folder, trial))
    return sum(row["kind"] == "epoch" for row in rows)


def ended(folder: Path) -> dict[str, History]:
    return {past.start["trial"]: past for past in histories(folder) if past.end}


class Chain:
    """One experiment, killed at one moment after another; `hits` says how often in which phase it really was."""

    def __init__(self, start: Callable[..., Any], space: Path, folder: Path, teachers: Path):
        self.start, self.space, self.folder, self.teachers = start, space, folder, teachers
        self.hits: Counter[str] = Counter()
        self.lost = 0

    def kill(self, wanted: str, random: Random) -> None:
        """Run until the phase is there, a moment longer, and kill; nothing that was written may be gone."""
        for each in ("report.html", "students.csv"):
            (self.folder / each).unlink(missing_ok=True)
        begun = set(self.teachers.glob("*/checkpoint.safetensors")) if not any(self.folder.glob("trials/*")) else set()
        run = self.start(self.space, self.folder)
        longer = trained(self.folder) + random.randrange(1, 5)
        run.until(lambda: self.there(wanted, begun, longer))
        kept = ended(self.folder)
        run.kill()
        self.hits[phase(self.folder, self.teachers, begun)] += 1
        assert run.alone(60) == set()
        after = ended(self.folder)
        self.lost += sum(after.get(trial) != past for trial, past in kept.items())

    def there(self, wanted: str, begun: set[Path], longer: int) -> bool:
        found = phase(self.folder, self.teachers, begun)
        return found == wanted and (wanted in ("teaching", "tables", "first reports") or trained(self.folder) >= longer)

    def finish(self) -> None:
        run = self.start(self.space, self.folder)
        assert run.wait() == 0, run.said()
        assert run.alone(60) == set()


def moments(kind: str, full: bool) -> list[list[str]]:
    """The phases at which the experiments of a kind are killed, experiment by experiment; in short each phase once."""
    if not full:
        return [["first reports", "confirm"] if kind == "adaptive" else ["teaching", "mid-run", "tables"]]
    return [["teaching", "first reports", "mid-run", "confirm" if kind == "adaptive" else "mid-run", "tables"]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grid", "adaptive"])
def test_a_killed_search_ends_as_if_nothing_had_been(kind, places, tmp_path, start, slow_space, same, tally):
    parts = ADAPTIVE if kind == "adaptive" else {"seeds": [0]}
    hits: Counter[str] = Counter()
    lost = repeated = 0
    wanted = moments(kind, FULL)
    for number, chain in enumerate(wanted):
        # a teacher in nobody's cache, so that there is one to be taught
        teacher = {"model": {"name": "mlp", "hidden": [40 + number + (20 if kind == "grid" else 0)]}}
        teacher["train"] = {"epochs": 8, "batch_size": 8}
        folder = tmp_path / f"{kind}{number}"
        space = slow_space(tmp_path, teacher=teacher, **parts)
        killed = Chain(start, space, folder, places / "teachers")
        for moment, name in enumerate(chain):
            killed.kill(name, Random(f"{kind}{number}{moment}"))
        killed.finish()
        undisturbed = Chain(start, space, tmp_path / f"{kind}{number}.whole", places / "teachers")
        undisturbed.finish()
        hits += killed.hits
        lost += killed.lost
        repeated += trained(folder) - sum(len(past.epochs) for past in histories(folder))
        (compare_grids if kind == "grid" else compare_searches)(folder, undisturbed.folder, same)
    assert all(hits[name] >= (2 if FULL else 1) for chain in wanted for name in chain), hits
    tries = sum(hits.values())
    # two students are trained at once, and each kill may cost the epoch in flight of each
    assert repeated <= 2 * tries
    told = ", ".join(f"{name} {count}" for name, count in sorted(hits.items()))
    name = "a grid" if kind == "grid" else "TPE + ASHA with confirm"
    tally(f"SIGKILL of the driver and all its processes, {name}", tries=tries, lost=lost, repeated=repeated, note=told)


def compare_grids(folder: Path, whole: Path, same: Callable[[Path, Path], None]) -> None:
    """Every number and every weight is the same, bit for bit."""
    same(folder, whole)


def compare_searches(folder: Path, whole: Path, same: Callable[[Path, Path], None]) -> None:
    """As many students as asked for, each ended once; what both searches trained is the same, epoch for epoch."""
    mine, theirs = ({past.start["trial"]: past for past in histories(each)} for each in (folder, whole))
    tried = [past for past in mine.values() if past.start["suggested"] is not None]
    assert len(tried) == ADAPTIVE["search"]["trials"] and all(past.end for past in mine.values())
    assert {past.end["status"] for past in mine.values()} <= {"finished", "stopped"}
    for trial in mine.keys() & theirs.keys():
        for one, other in zip(mine[trial].epochs, theirs[trial].epochs, strict=False):
            assert [one[key] for key in ("train_loss", "val_loss")] == [
                other[key] for key in ("train_loss", "val_loss")
            ]


@pytest.mark.slow
@only_in_full
def test_a_killed_driver_alone_is_followed_by_its_processes(grid, tmp_path, start, slow_space, same, tally):
    """SIGKILL for the driver and nobody else; the next run starts at once and nothing of the first writes beside it."""
    space, folder = slow_space(tmp_path), tmp_path / "run"
    tries = 3 if FULL else 1
    for number in range(1, tries + 1):
        run = start(space, folder)
        run.until(lambda number=number: trained(folder) >= 4 * number)
        os.kill(run.process.pid, signal.SIGKILL)
        run.wait()
    again = start(space, folder)
    assert again.wait() == 0, again.said()
    assert run.alone(150) == set()
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    tally("SIGKILL of the driver alone, resumed at once", tries=tries, repeated=repeated)
