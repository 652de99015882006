"""Registry of trackers: each event goes to all of them once, and none can end a search."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from results import paths, records, trackers
from results.students import History, histories, history
from results.trackers import TrackerEntry, TrackerGroup, check_trackers, start_trackers
from spaces.errors import UserError
from spaces.space import load_space

VALUES = {"method.alpha": 0.5, "method.temperature": 4}
OPTIONS = {"mlflow": "'sqlite:///{tmp_path}/mlflow.db'"}  # other trackers start without an option


class ListTracker:
    """Remember events, or fail."""

    def __init__(self, fails: bool = False) -> None:
        self.events: list[Any] = []
        self.fails = fails

    def update(self, student: History) -> None:
        if self.fails:
            raise OSError("the server\nis gone")
        self.events.append(student)

    def close(self, students: Sequence[History], *, done: bool) -> None:
        self.events.append((students, done))


def test_a_failing_tracker_is_dropped(tmp_path):
    good, bad, lines = ListTracker(), ListTracker(fails=True), []
    group = TrackerGroup({"bad": bad, "good": good}, lines.append)
    group.update("a")
    bad.fails = False
    group.update("b")
    group.close(tmp_path, done=True)
    assert good.events == ["a", "b", ([], True)] and bad.events == []
    assert lines == ["tracker bad stopped: the server is gone. Run the command again to bring it up to date."]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow calls deprecated functions of SQLAlchemy
@pytest.mark.parametrize(
    "name",  # MLflow takes seconds to create a store
    [pytest.param(name, marks=[pytest.mark.slow] * bool(entry.package)) for name, entry in trackers.TRACKERS.items()],
)
def test_a_registered_tracker_shows_the_same_rows_twice(empty, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MLflow keeps artifacts of a store without a server in ./mlruns
    entry, option = trackers.TRACKERS[name], OPTIONS.get(name, "")
    if entry.package:
        pytest.importorskip(entry.package)
    build = empty(f"track: {{{name}: {option.format(tmp_path=tmp_path)}}}\n")
    space = load_space(paths.space_file(build.folder))
    check_trackers(space)
    build.student("explore", VALUES, 0)
    trial = build.student("explore", VALUES, 1, end=None, epochs=2)
    module = importlib.import_module(entry.module)
    tracker = module.start_tracker(build.folder, space, (space.track or {})[name], list(histories(build.folder)))
    for _ in range(2):
        tracker.update(history(build.folder, trial))
    ends = [build.student("explore", VALUES, 2 + seed, end=status) for seed, status in enumerate(records.STATUSES)]
    for student in [*ends, *ends]:
        tracker.update(history(build.folder, student))
    build.epoch(trial, 2, 0.9)  # a repeated epoch
    tracker.update(history(build.folder, trial))
    tracker.close(list(histories(build.folder)), done=False)


class FileTracker:
    """A tracker of a few lines: one JSON object per event."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def update(self, student: History) -> None:
        self._append({"student": student.start["trial"], "epochs": len(student.epochs)})

    def close(self, students: Sequence[History], *, done: bool) -> None:
        self._append({"students": len(students), "done": done})

    def _append(self, event: dict) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(event) + "\n")


@pytest.fixture
def file_tracker(monkeypatch) -> None:
    """Register a new tracker: one module, and one line in the registry."""
    module = ModuleType("file_tracker")

    def start_tracker(folder, space, option, students):
        return FileTracker(Path(option))

    module.start_tracker = start_tracker
    monkeypatch.setitem(sys.modules, "file_tracker", module)
    monkeypatch.setitem(trackers.TRACKERS, "file", TrackerEntry("file_tracker", takes_text=True))


def test_a_new_tracker_needs_a_module_and_a_registry_line(empty, tmp_path, file_tracker, monkeypatch):
    monkeypatch.setitem(sys.modules, "results.trackers.mlflow", None)  # an import of it fails
    build = empty(f"track: {{file: '{tmp_path}/events'}}\n")
    space = load_space(paths.space_file(build.folder))
    check_trackers(space)
    group = start_trackers(space, build.folder, pytest.fail)
    trial = build.student("explore", VALUES, 0, end=None, epochs=2)
    group.update(history(build.folder, trial))
    group.close(build.folder, done=True)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert events == [{"student": trial, "epochs": 2}, {"students": 1, "done": True}]
    assert paths.journal_file(build.folder).exists() and any(paths.tensorboard_folder(build.folder).glob("*, seed 0"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("track: mlfow", r"track\.mlfow: unknown tracker mlfow; did you mean mlflow\?"),
        ("track: {mlflow: 3}", r"track\.mlflow: found 3, expected text"),
        ("track: {tensorboard: here}", r"track\.tensorboard: found here, expected nothing"),
    ],
)
def test_an_unusable_tracker_is_refused_with_its_line(empty, line, message):
    file = paths.space_file(empty(line + "\n").folder)
    with pytest.raises(UserError, match=rf"space\.yaml:\d+: {message}"):
        check_trackers(load_space(file))


def test_a_missing_package_is_named(empty, monkeypatch):
    space = load_space(paths.space_file(empty("track: mlflow\n").folder))
    check_trackers(space)
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"track\.mlflow: needs a package .* pip install mlflow"):
        check_trackers(space)


def test_the_journal_is_started_from_the_rows_and_grows_with_them(empty):
    build = empty()
    trial = build.student("explore", VALUES, 0, end=None, epochs=2)
    group = start_trackers(load_space(paths.space_file(build.folder)), build.folder, pytest.fail)
    before = journal_lines(build.folder)
    build.epoch(trial, 3, 0.9)
    group.update(history(build.folder, trial))
    assert any(trial in json.dumps(line) for line in before)
    assert [line["step"] for line in journal_lines(build.folder)[len(before) :] if "step" in line] == [3]
    assert len(list(histories(build.folder))) == 1


def journal_lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in paths.journal_file(folder).read_text().splitlines()]
