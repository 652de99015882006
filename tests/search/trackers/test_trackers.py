"""Whoever is told of students elsewhere: all of them are, and none of them can end a search."""

from __future__ import annotations

import json

import pytest

from results import records
from results.students import histories, history
from results.trackers import Trackers, begin
from search.students.spec import student

VALUES = {"method.alpha": 0.5, "method.temperature": 4}


class Listener:
    """A tracker that remembers, or fails."""

    def __init__(self, broken: bool = False):
        self.heard, self.broken = [], broken

    def tell(self, told) -> None:
        if self.broken:
            raise OSError("the server\nis gone")
        self.heard.append(told)

    def close(self, students, *, done: bool) -> None:
        self.heard.append((students, done))


def test_one_that_fails_is_told_no_more_and_the_others_are(tmp_path):
    good, bad, said = Listener(), Listener(broken=True), []
    trackers = Trackers({"bad": bad, "good": good}, said.append)
    trackers.tell("a")
    bad.broken = False
    trackers.tell("b")
    trackers.close(tmp_path, done=True)
    assert good.heard == ["a", "b", ([], True)] and bad.heard == []
    assert said == ["bad is told no more: the server is gone. Running the command again brings it up to date."]


def test_the_journal_is_begun_from_the_rows_and_goes_on_with_them(space, trained, folder):
    searched = space()
    first = trained(student(searched, "explore", VALUES, 0, 0), [0.5, 0.6], None)
    trackers = begin(searched, folder, pytest.fail)
    before = lines(folder)
    records.append(folder, first.key, {"kind": "epoch", "epoch": 3, "val_accuracy": 0.7, "val_loss": 0.3, "time": 9.0})
    trackers.tell(history(folder, first.key))
    assert any(first.key in json.dumps(line) for line in before)
    assert [line["step"] for line in lines(folder)[len(before) :] if "step" in line] == [3]
    assert len(list(histories(folder))) == 1


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in records.journal_file(folder).read_text().splitlines()]
