"""What is recorded of teachers, with their lectures made up."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from results import records
from search.trials import teachers
from trainables.distillation_data import DistillationData, RequestedOutputs
from trainables.teachers import cache
from trainables.teachers.teach import LOGITS_ALONE, Answering, TeacherResult, key, teach
from trainables.weights import tensor_file


@pytest.fixture
def lectures(monkeypatch, digits):
    """Make teachers of these names teach, the last of them the students."""

    def said(*names):
        *behind, own = [{"key": name, "behind": []} for name in names]
        item = TeacherResult(DistillationData(digits, None), own | {"behind": behind})
        monkeypatch.setattr(teachers, "_heard", lambda *_: iter([item]))

    return said


def test_who_stands_behind_a_teacher_is_recorded_unless_it_teaches_students_itself(lectures, folder):
    experiment = SimpleNamespace(folder=folder, lessons={"a teacher": ("known", None)}, display=None)
    student = SimpleNamespace(values={"teacher.model.hidden": "[8]", "method.alpha": 1})
    records.save_teacher(folder, {"key": "known", "values": {"teacher": "cnn"}})
    lectures("known", "member", "assistant")
    assert teachers.taught(experiment, student, RequestedOutputs())[0] == "assistant"
    found = {name: (each["values"], each.get("behind")) for name, each in records.teachers(folder).items()}
    assert found == {
        "known": ({"teacher": "cnn"}, None),
        "member": ({}, "assistant"),
        "assistant": ({"teacher.model.hidden": "[8]"}, None),
    }


def test_a_person_is_told_what_a_teacher_answers_for_minutes(monkeypatch, digits, folder):
    last = TeacherResult(DistillationData(digits, None), {"key": "known", "behind": []})
    monkeypatch.setattr(teachers, "_heard", lambda *_: iter([Answering("mlp", 1_375_000), last]))
    console = Console(file=StringIO(), width=20)
    experiment = SimpleNamespace(folder=folder, lessons={}, display=SimpleNamespace(console=console))
    teachers.taught(experiment, SimpleNamespace(values={}), RequestedOutputs(policies=(2,)))
    assert console.file.getvalue() == "teacher mlp answers 1,375,000 views of images, once for all students\n"


class Lectures:
    """In the place of Ray's task: it teaches here, and counts how often it was asked."""

    asked = 0

    def options(self, **_):
        return self

    def remote(self, recipe, data, asked, *_):
        self.asked += 1
        return teach(recipe, data, asked)


@pytest.fixture
def ray_task(monkeypatch):
    task = Lectures()
    monkeypatch.setattr(teachers, "_lectures", task)
    monkeypatch.setattr(teachers, "_threads", lambda _: 1)
    monkeypatch.setattr(teachers.ray, "get", lambda item: item)
    return task


@pytest.fixture
def heard(monkeypatch, tmp_path, digits, space):
    """Make a recipe of a tiny space, whose cache is empty at first, and what hears its teacher: all that is yielded."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))

    def of(**parts):
        found = space(**parts)
        recipe = found.fill(next(iter(found.probes())), 0)
        experiment = SimpleNamespace(data=digits, plugins={}, space=found, local=True)
        student = SimpleNamespace(recipe=recipe)
        return recipe, lambda asked=LOGITS_ALONE: list(teachers._heard(experiment, student, asked))

    return of


def test_a_teacher_that_is_cached_is_read_without_a_process_of_its_own(ray_task, heard):
    _, hear = heard()
    taught = hear()[-1]
    [read] = hear()
    assert ray_task.asked == 1
    assert isinstance(read, TeacherResult)
    assert read.record["cached"]
    assert (read.lesson.teacher.train == taught.lesson.teacher.train).all()


def test_a_cached_teacher_of_which_more_is_asked_answers_where_the_processors_are(ray_task, heard):
    _, hear = heard()
    hear()
    assert hear(RequestedOutputs(layers=("relu1",)))[-1].lesson.teacher.features
    assert ray_task.asked == 2


@pytest.mark.parametrize("local", [True, False])
def test_answers_travel_as_files_where_there_are_no_other_machines(heard, digits, local):
    recipe, _ = heard(train={"epochs": 1, "batch_size": 64, "shift": 1})
    asked = RequestedOutputs(layers=("relu1",), policies=(1,))
    for _ in range(2):  # made, and found
        [*_, taught] = teachers._lectures._function(recipe, digits, asked, {}, 1, local)
        answers = taught.lesson.teacher
        assert [*map(type, answers.views.values())] == [*map(type, answers.features.values())]
        assert [type(each) is tensor_file.Mapped for each in answers.views.values()] == [local]


@pytest.mark.parametrize("error", [OSError("no lock"), RuntimeError("other weights")])
def test_what_is_wrong_with_reading_is_told_on_the_cluster(ray_task, heard, monkeypatch, error):
    _, hear = heard()
    hear()

    def fail(*_):
        raise error

    monkeypatch.setattr(teachers, "recall", fail)
    assert hear()[-1].record["cached"]
    assert ray_task.asked == 2


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_damaged_teacher_is_taught_anew_on_the_cluster(ray_task, heard, digits, epochs):
    recipe, hear = heard(teacher={"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": epochs}})
    hear()
    weights = cache.folder() / key(recipe, digits) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not hear()[-1].record["cached"]
    assert ray_task.asked == 2
    assert hear()[-1].record["cached"]
    assert ray_task.asked == 2


SUBCLASSES = {
    "teacher": {"model": {"name": "mlp", "hidden": [16], "subclasses": 2}, "train": {"epochs": 1}},
    "method": {"name": "subclass", "alpha": 0.5, "temperature": 4},
}
ENSEMBLE = {"teacher": {"ensemble": [{"model": {"name": "mlp", "hidden": [size]}} for size in (4, 8)]}}


@pytest.mark.parametrize("parts", [SUBCLASSES, ENSEMBLE])
def test_who_says_more_than_logits_answers_where_the_processors_are(ray_task, heard, parts):
    _, hear = heard(**parts)
    for _ in range(2):
        hear()
    assert ray_task.asked == 2
