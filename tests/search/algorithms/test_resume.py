"""Searches killed between any two rows: the resumed search trains the students of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from results import records
from results.students import histories, history
from search.algorithms import SAMPLERS, SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.searcher import StudentSearcher
from search.students.spec import Pack, first_row, student_spec, suggested_histories
from search.trials.callback import write_driver_end
from spaces.search_section import NON_ADAPTIVE
from spaces.space import Space

EPOCHS = 3
PARTS = {
    "student": {"model": {"name": "mlp", "hidden": {"choice": [[4], [8], [16], [32]]}}},
    "method": {
        "name": "hinton",
        "alpha": {"uniform": [0.1, 1], "prior": 0.8},
        "temperature": {"loguniform": [1, 16]},
    },
}
ONE = {"scheduler": "asha", "grace_period": 1, "reduction": 2}
FRONT = {"metrics": ["val_accuracy", "parameters"]}


def begin_search(space: Space, folder: Path) -> StudentSearcher:
    """Return the searcher of a folder, each student a pack of its own."""
    return StudentSearcher(
        space,
        suggested_histories(folder),
        partial(history, folder),
        lambda values: replace(student_spec(space, "explore", values, 0, 0), suggested=values),
        float("inf"),
        lambda students: [Pack((student,)) for student in students],
    )


def search_rows(space: Space, folder: Path) -> Iterator[None]:
    """Search with one worker; a formula stands in for training. Yields after each row and each report to Optuna."""
    scheduler = PerStudentScheduler(SCHEDULERS[space.search.scheduler](space.search, EPOCHS))
    for key in scheduler.replay(suggested_histories(folder)):
        write_driver_end(folder, key, "stopped")
    searcher = begin_search(space, folder)
    clock = float(len(searcher.resumed_keys) * 100)
    while (config := searcher.suggest(str(clock))) != Searcher.FINISHED:
        student, trial = config["pack"].students[0], SimpleNamespace(config=config)
        width = int(student.values["student.model.hidden"].strip("[]"))
        scheduler.on_trial_add(None, trial)
        begun = history(folder, student.key)
        status, done = "finished", len(begun.epochs) if begun else 0
        if begun is None:
            row = first_row(student) | {"teacher": None, "parameters": width, "macs": width, "time": clock}
            records.append_row(folder, student.key, row)
            yield
        for epoch in range(1, EPOCHS + 1):
            quality = student.values["method.alpha"] * epoch / EPOCHS + width / 100
            row = {"kind": "epoch", "epoch": epoch, "val_accuracy": quality, "val_loss": 1 - quality}
            row |= {"trial": student.key, "time": clock + epoch}
            if epoch > done:
                records.append_row(folder, student.key, row)
            yield
            decision = scheduler.on_trial_result(None, trial, {"rows": [row]})
            if epoch > done and decision == TrialScheduler.STOP and epoch < EPOCHS:
                status = "stopped"
                break
        records.append_row(folder, student.key, {"kind": "end", "status": status, "reason": None, "time": clock + 9})
        yield
        searcher.on_trial_complete(str(clock))
        yield
        clock += 10


def trained_students(folder: Path) -> dict[str, tuple[int, Any]]:
    return {past.start["trial"]: (len(past.epochs), past.end["status"]) for past in histories(folder)}


@pytest.mark.parametrize("search", [ONE, FRONT], ids=["asha", "front"])
@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_a_killed_search_trains_the_students_of_an_uninterrupted_one(space, tmp_path, monkeypatch, algorithm, search):
    monkeypatch.setattr("search.algorithms.samplers.START_POINTS", 8)
    trials = 14  # of which TPE proposes six by results
    searched = space(**PARTS, search={"algorithm": algorithm, "trials": trials, **search})
    events = sum(1 for _ in search_rows(searched, tmp_path / "whole"))
    expected = trained_students(tmp_path / "whole")
    assert len(expected) == trials
    for kill in range(1, events, events // 10):
        folder = tmp_path / f"killed {kill}"
        for _ in islice(search_rows(searched, folder), kill):
            pass
        for _ in search_rows(searched, folder):
            pass
        assert trained_students(folder) == expected, kill


@pytest.mark.parametrize("algorithm", NON_ADAPTIVE)
def test_some_proposals_do_not_depend_on_the_order_of_the_results(space, folder, trained, algorithm):
    """Of four proposals of several workers the third has ended, the second was killed, the others have no row."""
    searched = space(**PARTS, search={"algorithm": algorithm, "trials": 6})

    def proposals() -> list[str]:
        searcher = begin_search(searched, folder)
        configs = iter(lambda: searcher.suggest(str(len(students))), Searcher.FINISHED)
        students = []
        for config in configs:
            students += config["pack"].students
        return students

    whole = proposals()
    trained(whole[2], [0.1, 0.2, 0.3])
    trained(whole[1], [0.1], None)
    assert [student.key for student in proposals()] == [whole[place].key for place in (0, 1, 3, 4, 5)]
