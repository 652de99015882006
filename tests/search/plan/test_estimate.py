"""Estimated students, teachers, epochs and time of a search."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

import search.plan.estimate
from search.plan.estimate import STARTUP_COST, STUDENT_COST, TIMED_STEPS, Pace, Plan, estimate_plan, measure_pace
from search.students.candidates import (
    all_teacher_recipes,
    grid_students,
    students_per_teacher,
)
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.data import Dataset
from trainables.teachers.train import train_teacher

PLAIN = {"name": "hinton", "alpha": 0.5, "temperature": 4}
ADAPTIVE = {"algorithm": "random", "trials": 7}
ALPHA = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4}


def plan(space: Space, data: Dataset, workers: int = 1, **options: float) -> Plan:
    return estimate_plan(space, data, grid_students(space, data), workers, **options)


def test_a_grid_counts_alpha_zero_once_per_seed(space, digits):
    planned = plan(space(seeds=[0, 1]), digits)
    assert planned.students == {"explore": 2 * 2, "baseline": 2, "confirm": 0}
    assert planned.epochs == 3 * 6
    assert planned.teachers == 1
    assert planned.seconds > 0 and planned.megabytes == pytest.approx(6 * 610 * 4 / 2**20)


def test_an_adaptive_search_counts_its_trials_and_a_baseline(space, digits):
    planned = plan(space(search=ADAPTIVE, method=ALPHA), digits)
    assert planned.students == {"explore": 7, "baseline": 1, "confirm": 0}


def test_confirmed_students_bring_a_baseline(space, digits):
    confirm = {"top": 2, "seeds": [5, 6, 7]}
    planned = plan(space(search=ADAPTIVE, method=ALPHA, confirm=confirm), digits)
    assert planned.students == {"explore": 7, "baseline": 3, "confirm": 2 * 3}


def test_a_searched_baseline_is_counted(space, digits):
    parts = {
        "search": {"algorithm": "random", "trials": 6},
        "train": {"epochs": 3, "lr": {"loguniform": [1e-4, 1e-1]}},
        "baseline": {"trials": 5},
    }
    assert estimate_plan(space(**parts), digits, [], 1).students["baseline"] == 5 + 1
    confirmed = estimate_plan(space(**parts, confirm={"top": 2, "seeds": [7, 8, 9]}), digits, [], 1)
    assert confirmed.students == {"explore": 6, "baseline": 5 + (1 + 2) * 3, "confirm": 6}


@pytest.mark.parametrize(("knob", "confirmed", "baselines"), [("method", 2, 1), ("train.lr", 3, 3)])
def test_the_best_of_each_option_bring_their_baselines(space, digits, knob, confirmed, baselines):
    methods = {"choice": [PLAIN, {**PLAIN, "name": "standardized"}]}
    rates = {"batch_size": 64, "lr": {"choice": [0.1, 0.2, 0.3]}}
    planned = plan(space(method=methods, train=rates, confirm={"per": knob, "top": 1, "seeds": [5, 6]}), digits)
    assert planned.students == {"explore": 6, "baseline": 3 + 2 * baselines, "confirm": 2 * confirmed}


def test_epochs_are_those_of_each_student_of_a_grid(space, digits):
    mixed = space(train={"epochs": {"choice": [2, 5]}, "batch_size": 64}, method=PLAIN)
    assert plan(mixed, digits).stage_epochs == {"explore": 2 + 5, "baseline": 2 + 5, "confirm": 0}


def test_other_searches_count_the_longest_student(space, digits):
    mixed = space(train={"epochs": {"choice": [2, 5]}, "batch_size": 64}, method=PLAIN, search=ADAPTIVE)
    assert plan(mixed, digits).epochs == 5 * (7 + 1)


def test_an_epoch_of_fewer_images_takes_less_time(space, digits, monkeypatch):
    monkeypatch.setattr(search.plan.estimate, "measure_pace", lambda *_: Pace(1000.0, 0.0))
    options = [{"epochs": 3, "images": 100}, {"epochs": 3}]
    few, most = (
        plan(space(train=train, method={"name": "none"}), digits) for train in ({"choice": options}, options[1])
    )
    share = 100 / len(digits.train.labels)
    assert few.seconds == pytest.approx(2 * most.seconds * (1 + share) / 2, rel=0.05)


def test_one_student_of_each_method_and_network_is_timed(space, digits, monkeypatch):
    seconds = {("hinton", 8): 1000.0, ("hinton", 9): 3000.0, ("mse", 8): 5000.0, ("mse", 9): 7000.0}
    timed = []

    def pace(recipe, *_):
        if recipe.method.name == "none":  # the teacher
            return Pace(0.0, 0.0)
        timed.append((recipe.method.name, recipe.student.model.hidden[0]))
        return Pace(seconds[timed[-1]], 0.0)

    monkeypatch.setattr("search.plan.estimate.measure_pace", pace)
    methods = [{**PLAIN, "temperature": {"choice": [1, 4]}}, {"name": "mse", "alpha": 0.5}]
    networks = {"name": "mlp", "hidden": {"choice": [[8], [9]]}}
    planned = plan(space(method={"choice": methods}, student={"model": networks}), digits, import_seconds=0.0)
    assert len(timed) == len(set(timed))
    assert [{option[part] for option in timed} for part in (0, 1)] == [{"hinton", "mse"}, {8, 9}]
    assert planned.seconds == pytest.approx(planned.epochs * fmean(seconds[option] for option in timed))


def test_a_network_with_lists_is_timed(space, digits):
    student = {"model": {"name": "mlp", "hidden": [8], "subclasses": [2] * 10}}
    assert plan(space(student=student, method={"name": "none"}), digits).epoch_seconds > 0


def test_workers_share_the_time(space, digits):
    single, four = (plan(space(seeds=[0, 1, 2]), digits, workers).seconds for workers in (1, 4))
    assert four < single


def test_teachers_of_teachers_and_members_are_counted_once(space, digits):
    plain = {"model": {"name": "mlp", "hidden": [8]}, "train": {"epochs": 2}}
    behind = {"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": 3}}
    assistant = {**plain, "method": PLAIN, "teacher": behind}
    options = [behind, assistant, {"ensemble": [plain, assistant]}]
    tiny = space(teacher={"choice": json.loads(json.dumps(options))}, method=PLAIN)  # without YAML's aliases
    assert sorted(student.train.epochs for student in all_teacher_recipes(students_per_teacher(tiny))) == [2, 2, 2, 3]
    assert plan(tiny, digits).teachers == 4


@pytest.mark.parametrize(
    "parts",
    [
        {"method": {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}},
        {"method": PLAIN, "train": {"shift": 1}},
    ],
)
def test_training_with_teacher_outputs_is_timed(space, digits, parts, monkeypatch):
    monkeypatch.setattr(Recipe, "baseline", lambda recipe: pytest.fail("timed without its teacher"))
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    assert measure_pace(space(teacher=teacher, **parts).fill({}, 0), digits).epoch_seconds > 0


@pytest.mark.parametrize(("shift", "passes"), [(0, 0), (1, 9), ({"choice": [0, 1]}, 9)])
def test_teacher_outputs_for_views_are_part_of_the_time(space, digits, monkeypatch, shift, passes):
    monkeypatch.setattr("search.plan.estimate.measure_pace", lambda *_: Pace(0.0, 1.0))
    planned = plan(space(method=PLAIN, train={"shift": shift}), digits)
    assert planned.teacher_seconds == sum(digits.sizes.values()) + passes * len(digits.train.labels)


@pytest.mark.parametrize("method", [{"name": "none"}, {**PLAIN, "alpha": 0}])
def test_no_teacher_without_a_distilled_student(space, digits, method):
    searched = space(method=method)
    assert students_per_teacher(searched) == []
    assert plan(searched, digits).students == {"explore": 0, "baseline": 1, "confirm": 0}


@pytest.mark.parametrize(
    "parts",
    [
        {"train": {"optimizer": "sgd", "lr": 1e38, "batch_size": 64}},
        {"train": {"batch_size": 100_000}},
        {"train": {"warmup": 2, "schedule": "cosine", "epochs": 3}},
    ],
)
def test_unusual_trainings_can_be_timed(space, digits, parts):
    tiny = space(method=PLAIN, **parts)
    assert measure_pace(tiny.fill({}, 0), digits).epoch_seconds > 0


@pytest.mark.parametrize(
    ("method", "short_seconds", "times"),
    [({"name": "none"}, 0.0, STARTUP_COST), (PLAIN, 0.0, STARTUP_COST + 1), (PLAIN, 1000.0, STARTUP_COST)],
)
def test_processes_that_import_count_import_time(space, digits, monkeypatch, method, short_seconds, times):
    """Ray, its workers, the tables, and in part each student; and the process of a teacher that trains for long."""
    monkeypatch.setattr("search.trials.short_teachers.SHORT_SECONDS", short_seconds)
    monkeypatch.setattr("search.plan.estimate.measure_pace", lambda *_: Pace(1.0, 0.0))
    searched, students = space(method=method), []
    for imports in (2.0, 12.0):
        students.append(plan(searched, digits, import_seconds=imports))
    few, many = students
    assert many.seconds - few.seconds == pytest.approx(10 * (times + STUDENT_COST * sum(few.students.values())))


@pytest.mark.parametrize(("patience", "steps"), [(0.0, 2), (1000.0, 2 * TIMED_STEPS)])
def test_slow_steps_are_timed_fewer_times(space, digits, monkeypatch, patience, steps):
    steps_taken = []
    timed = search.plan.estimate.fit
    monkeypatch.setattr("search.plan.estimate.TIMING_SECONDS", patience)
    monkeypatch.setattr(
        "search.plan.estimate.fit",
        lambda *arguments: (steps_taken.append(1) or student for student in timed(*arguments)),
    )
    assert (
        measure_pace(space(method={"name": "none"}).fill({}, 0), digits).epoch_seconds > 0 and len(steps_taken) == steps
    )


@pytest.mark.parametrize(
    ("limit", "most", "size"),
    [("MAX_STEP_MACS", 10 * 592, 10), ("MAX_STEP_VALUES", 20 * (3 * 64 + 3 * 8 + 10), 20), ("MAX_STEP_VALUES", 1, 2)],
)
def test_the_timed_steps_of_large_networks_are_small(space, digits, monkeypatch, limit, most, size):
    """Of 64 inputs, 8 hidden units and 10 classes: so many multiply-accumulates, and so many values of layers."""
    sizes = []
    timed = search.plan.estimate.fit
    monkeypatch.setattr(f"search.plan.estimate.{limit}", most)
    monkeypatch.setattr(
        "search.plan.estimate.fit",
        lambda recipe, *arguments: sizes.append(recipe.train.batch_size) or timed(recipe, *arguments),
    )
    measure_pace(space(method={"name": "none"}).fill({}, 0), digits)
    assert sizes == [size]


def test_the_baseline_of_a_broken_method_is_timed(space, digits, monkeypatch):
    from trainables.methods import METHODS

    def broken(student, teacher, labels, *, alpha, temperature):
        raise RuntimeError("belongs in the rows")

    monkeypatch.setitem(METHODS, "hinton", broken)
    assert measure_pace(space(method=PLAIN).fill({}, 0), digits).epoch_seconds > 0


def test_a_cached_teacher_takes_no_time(space, digits, monkeypatch, tmp_path):
    monkeypatch.setenv("KD_CACHE", str(tmp_path))
    tiny = space(method=PLAIN, teacher={"model": {"name": "mlp", "hidden": [8]}, "train": {"epochs": 1}})
    assert plan(tiny, digits).teacher_seconds > 0
    for _ in train_teacher(students_per_teacher(tiny)[0].recipe, digits):
        pass
    assert plan(tiny, digits).teacher_seconds == 0


def test_validation_and_test_are_part_of_the_time(space, digits):
    recipe = space(method=PLAIN).fill({}, 0)
    students = measure_pace(recipe, digits)
    assert students.epoch_seconds > len(digits.val.labels) * students.image_seconds > 0
