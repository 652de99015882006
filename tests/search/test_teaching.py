"""What is recorded of teachers, with their lectures made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from results import records
from search import teaching
from trainables.lesson import Lesson, Wanted
from trainables.teach import Taught


@pytest.fixture
def lectures(monkeypatch, digits):
    """Make teachers of these names teach, the last of them the students."""

    def said(*names):
        *behind, own = [{"key": name, "behind": []} for name in names]
        item = Taught(Lesson(digits, None), own | {"behind": behind})
        monkeypatch.setattr(teaching, "_heard", lambda *_: iter([item]))

    return said


def test_who_stands_behind_a_teacher_is_recorded_unless_it_teaches_students_itself(lectures, folder):
    experiment = SimpleNamespace(folder=folder, lessons={"a teacher": ("known", None)}, display=None)
    student = SimpleNamespace(values={"teacher.model.hidden": "[8]", "method.alpha": 1})
    records.save_teacher(folder, {"key": "known", "values": {"teacher": "cnn"}})
    lectures("known", "member", "assistant")
    assert teaching.taught(experiment, student, Wanted())[0] == "assistant"
    found = {name: (each["values"], each.get("behind")) for name, each in records.teachers(folder).items()}
    assert found == {
        "known": ({"teacher": "cnn"}, None),
        "member": ({}, "assistant"),
        "assistant": ({"teacher.model.hidden": "[8]"}, None),
    }
