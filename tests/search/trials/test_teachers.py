"""Teachers of a search: their records, their Ray task, and the cache."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from results import records
from search.cluster.nodes import TeacherPlace, TrainingNodes
from search.cluster.worker_setup import local_setup
from search.trials import short_teachers, teachers
from spaces.errors import UserError
from spaces.sections import Resources
from trainables.data.array_file import MappedArray
from trainables.distillation_data import RequestedOutputs, TeacherOutputs
from trainables.teachers.cache import teacher_folder
from trainables.teachers.home import CacheHome
from trainables.teachers.key import teacher_key
from trainables.teachers.train import LOGITS_ONLY, OutputsStarted, TeacherResult, train_teacher

NO_SETUP = local_setup({})
NO_LOGITS = np.zeros((0, 10), np.float32)
OUTPUTS = TeacherOutputs(NO_LOGITS, NO_LOGITS, NO_LOGITS)


@pytest.fixture
def set_events(monkeypatch):
    """Replace the training of a teacher by these events."""
    return lambda *events: monkeypatch.setattr(teachers, "_teacher_events", lambda *_: iter(events))


def test_records_behind_a_teacher_are_saved_unless_students_use_that_teacher(set_events, folder):
    context = SimpleNamespace(folder=folder, teacher_outputs={"a teacher": ("first", None)}, display=None)
    student = SimpleNamespace(values={"teacher.model.hidden": "[8]", "method.alpha": 1})
    records.save_teacher(folder, {"key": "first", "values": {"teacher": "cnn"}})
    behind = [{"key": key, "behind": []} for key in ("first", "member")]
    set_events(TeacherResult(OUTPUTS, {"key": "assistant", "behind": behind}))
    assert teachers.obtain_teacher(context, student, RequestedOutputs()) == ("assistant", OUTPUTS)
    saved = {key: (record["values"], record.get("behind")) for key, record in records.read_teachers(folder).items()}
    assert saved == {
        "first": ({"teacher": "cnn"}, None),
        "member": ({}, "assistant"),
        "assistant": ({"teacher.model.hidden": "[8]"}, None),
    }


def test_computing_views_prints_a_line(set_events, folder):
    set_events(OutputsStarted("mlp", 1_375_000), TeacherResult(OUTPUTS, {"key": "first", "behind": []}))
    console = Console(file=StringIO(), width=20)
    context = SimpleNamespace(
        folder=folder, teacher_outputs={}, display=SimpleNamespace(console=console, begin_wait=lambda text: None)
    )
    teachers.obtain_teacher(context, SimpleNamespace(values={}), RequestedOutputs(policies=(2,)))
    line = "teacher mlp: computing its logits for 1,375,000 views of the training images\n"
    assert console.file.getvalue() == line


def test_a_long_wait_for_a_place_says_for_what(monkeypatch):
    monkeypatch.setattr(teachers, "WAIT_SECONDS", 0.0)
    console, required = Console(file=StringIO(), width=200), Resources(cpus=4, gpus=1)
    place = TeacherPlace("0" * 56, "here", 4)

    def teacher_place(_):
        return place if console.file.getvalue() else None

    nodes = TrainingNodes(single_machine=True)  # no autoscaler is asked
    monkeypatch.setattr(nodes, "teacher_place", teacher_place)
    monkeypatch.setattr(teachers.time, "sleep", lambda _: None)
    display = SimpleNamespace(console=console, begin_wait=lambda text: None)
    context = SimpleNamespace(space=SimpleNamespace(resources=required), nodes=nodes, display=display)
    assert teachers._wait_for_place(context) == place
    assert console.file.getvalue() == "waiting for a node with 4 CPUs, 1 GPUs\n"


class LocalTask:
    """Stand-in for the Ray task: trains in this process and counts its calls."""

    calls = 0

    def options(self, **_):
        return self

    def remote(self, recipe, data, requested, *_):
        self.calls += 1
        return train_teacher(recipe, data, requested)


@pytest.fixture
def ray_task(monkeypatch):
    task = LocalTask()
    monkeypatch.setattr(short_teachers, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(teachers, "_train_on_ray", task)
    monkeypatch.setattr(teachers.ray, "get", lambda item: item)
    return task


@pytest.fixture
def make_teacher(monkeypatch, tmp_path, digits, space):
    """Return a function: the parts of a space -> a recipe, and a function that returns its teacher's events.

    The cache is empty at first.
    """
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))

    def make(setup=NO_SETUP, single_machine=True, **parts):
        built = space(**parts)
        recipe = built.fill(next(iter(built.probes())), 0)
        display = SimpleNamespace(begin_wait=lambda text: None)
        nodes = SimpleNamespace(
            teacher_place=lambda _: TeacherPlace("0" * 56, "here", 3), single_machine=single_machine
        )
        context = SimpleNamespace(
            data=digits, space=built, display=display, setup=setup, teacher_home=CacheHome(), nodes=nodes
        )
        student = SimpleNamespace(recipe=recipe)
        return recipe, lambda requested=LOGITS_ONLY: list(teachers._teacher_events(context, student, requested))

    return make


def test_a_cached_teacher_is_read_without_a_process(ray_task, make_teacher):
    _, events = make_teacher()
    trained = events()[-1]
    [cached] = events()
    assert ray_task.calls == 1
    assert isinstance(cached, TeacherResult)
    assert cached.record["cached"]
    assert (cached.outputs.train == trained.outputs.train).all()


def test_more_outputs_of_a_cached_teacher_are_computed_on_ray(ray_task, make_teacher):
    _, events = make_teacher()
    events()
    assert events(RequestedOutputs(layers=("relu1",)))[-1].outputs.features
    assert ray_task.calls == 2


def test_a_short_teacher_is_trained_in_the_driver_with_the_same_bits(ray_task, make_teacher, monkeypatch, tmp_path):
    _, events = make_teacher()
    on_ray = events()[-1]
    monkeypatch.setattr(short_teachers, "SHORT_SECONDS", 2.0)
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(torch, "set_num_threads", (threads := []).append)
    *epochs, here = events()
    assert ray_task.calls == 1 and (threads[0], threads[-1]) == (1, torch.get_num_threads())
    assert [type(event).__name__ for event in epochs] == ["TrainingStarted", *["EpochResult"] * (len(epochs) - 1)]
    assert (here.outputs.train == on_ray.outputs.train).all() and here.record["key"] == on_ray.record["key"]


@pytest.mark.parametrize("change", ["plugin", "cluster", "layers"])
def test_other_teachers_are_trained_on_ray(ray_task, make_teacher, monkeypatch, change):
    monkeypatch.setattr(short_teachers, "SHORT_SECONDS", 2.0)
    _, events = make_teacher(
        setup=local_setup({"a.py": b""}) if change == "plugin" else NO_SETUP, single_machine=change != "cluster"
    )
    events(RequestedOutputs(layers=("relu1",)) if change == "layers" else LOGITS_ONLY)
    assert ray_task.calls == 1


def test_an_error_in_the_driver_names_the_teacher(make_teacher, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(short_teachers, "train_teacher", fail)
    with pytest.raises(UserError, match=r"^teacher mlp: RuntimeError: out of luck$"):
        make_teacher()[1]()


class OtherMachine(CacheHome):
    """Home on another machine, which has no files."""

    is_single_machine = False


@pytest.mark.parametrize("home", [CacheHome(), OtherMachine()])
def test_outputs_are_sent_as_paths_on_a_single_machine_only(make_teacher, digits, home):
    recipe, _ = make_teacher(train={"epochs": 1, "batch_size": 64, "shift": 1})
    requested = RequestedOutputs(layers=("relu1",), policies=(1,))
    for _ in range(2):  # computed, then read
        [*_, result] = teachers._train_on_ray._function(recipe, digits, requested, NO_SETUP, home, 1)
        arrays = [*result.outputs.views.values(), *result.outputs.features.values()]
        assert [isinstance(array, MappedArray) for array in arrays] == 2 * [home.is_single_machine]


@pytest.mark.parametrize("error", [OSError("no lock"), RuntimeError("other weights")])
def test_a_failed_read_is_repeated_on_ray(ray_task, make_teacher, monkeypatch, error):
    _, events = make_teacher()
    events()

    def fail(*_):
        raise error

    monkeypatch.setattr(short_teachers, "load_cached_teacher", fail)
    assert events()[-1].record["cached"]
    assert ray_task.calls == 2


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_damaged_teacher_is_trained_again_on_ray(ray_task, make_teacher, digits, epochs):
    recipe, events = make_teacher(teacher={"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": epochs}})
    events()
    weights = teacher_folder(teacher_key(recipe, digits)) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not events()[-1].record["cached"]
    assert ray_task.calls == 2
    assert events()[-1].record["cached"]
    assert ray_task.calls == 2


SUBCLASSES = {
    "teacher": {"model": {"name": "mlp", "hidden": [16], "subclasses": 2}, "train": {"epochs": 1}},
    "method": {"name": "subclass", "alpha": 0.5, "temperature": 4},
}
ENSEMBLE = {"teacher": {"ensemble": [{"model": {"name": "mlp", "hidden": [size]}} for size in (4, 8)]}}


@pytest.mark.parametrize("parts", [SUBCLASSES, ENSEMBLE])
def test_teachers_with_more_than_logits_are_read_on_ray(ray_task, make_teacher, parts):
    _, events = make_teacher(**parts)
    for _ in range(2):
        events()
    assert ray_task.calls == 2
