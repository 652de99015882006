"""What a search says it will do, before it does it."""

from __future__ import annotations

import json
from time import perf_counter

import pytest

import search.plan.estimate
from search.cluster.workers import local_workers, worker_count
from search.plan.estimate import STARTUP_COST, STUDENT_COST, TIMED_STEPS, Pace, Plan, estimate_plan, measure_pace
from search.students.candidates import (
    all_teacher_recipes,
    grid_students,
    longest_training,
    students_per_teacher,
    within_limit,
)
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.data import Dataset
from trainables.teachers.train import train_teacher

PLAIN = {"name": "hinton", "alpha": 0.5, "temperature": 4}
WIDTHS = {"model": {"name": "mlp", "hidden": {"choice": [[8], [32]]}}}
ADAPTIVE = {"algorithm": "random", "trials": 7}
ALPHA = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4}


def plan(space: Space, data: Dataset, workers: int = 1, **options: float) -> Plan:
    return estimate_plan(space, data, grid_students(space, data), workers, **options)


def test_a_grid_counts_alpha_zero_once_per_seed(space, digits):
    counted = plan(space(seeds=[0, 1]), digits)
    assert counted.students == {"explore": 2 * 2, "baseline": 2, "confirm": 0}
    assert counted.epochs == 3 * 6
    assert counted.teachers == 1
    assert counted.seconds > 0 and counted.megabytes == pytest.approx(6 * 610 * 4 / 2**20)


def test_an_adaptive_search_counts_its_trials_and_a_baseline(space, digits):
    counted = plan(space(search=ADAPTIVE, method=ALPHA), digits)
    assert counted.students == {"explore": 7, "baseline": 1, "confirm": 0}


def test_the_winner_of_the_confirmed_brings_its_baseline(space, digits):
    confirm = {"top": 2, "seeds": [5, 6, 7]}
    counted = plan(space(search=ADAPTIVE, method=ALPHA, confirm=confirm), digits)
    assert counted.students == {"explore": 7, "baseline": 3, "confirm": 2 * 3}


def test_a_grid_leaves_out_students_over_the_limit(space, digits):
    large = space(student=WIDTHS)
    small = space(student=WIDTHS, search={"limit": {"parameters": 1000}})
    assert len(grid_students(large, digits)) == 2 * len(grid_students(small, digits)) == 6
    assert {each.values["student.model.hidden"] for each in grid_students(small, digits)} == {"[8]"}


@pytest.mark.parametrize(
    ("limit", "within"), [({}, True), ({"parameters": 610}, True), ({"parameters": 609}, False), ({"macs": 591}, False)]
)
def test_a_limit_is_the_largest_size_allowed(space, digits, limit, within):
    limited = space(search={"limit": limit})
    assert within_limit(limited, limited.fill(limited.cells()[0], 0), digits) is within


def test_the_longest_student_counts_for_all(space, digits):
    mixed = space(train={"epochs": {"choice": [2, 5]}, "batch_size": 64}, method=PLAIN)
    assert longest_training(mixed) == 5
    assert plan(mixed, digits).epochs == 5 * 4


def test_workers_share_the_time(space, digits):
    one, four = (plan(space(seeds=[0, 1, 2]), digits, workers).seconds for workers in (1, 4))
    assert four < one


def test_every_teacher_that_a_student_can_have_is_taught(space):
    hidden = {"choice": [[8], [16]]}
    tiny = space(teacher={"model": {"name": "mlp", "hidden": hidden}, "seeds": [0, 1, 2]}, method=PLAIN)
    found = students_per_teacher(tiny)
    assert len({each.recipe.teacher_recipe().key() for each in found}) == len(found) == 2 * 3
    assert {each.values["teacher.model.hidden"] for each in found} == {"[8]", "[16]"}


def test_teachers_may_be_options_themselves(space):
    options = [{"model": {"name": "mlp", "hidden": [8]}}, {"model": {"name": "cnn", "padding": "same"}}]
    found = students_per_teacher(space(teacher={"choice": options}, method=PLAIN))
    assert [each.recipe.teacher.model.name for each in found] == ["mlp", "cnn"]


def test_everybody_who_stands_behind_a_teacher_is_counted_once(space, digits):
    plain = {"model": {"name": "mlp", "hidden": [8]}, "train": {"epochs": 2}}
    behind = {"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": 3}}
    assistant = {**plain, "method": PLAIN, "teacher": behind}
    options = [behind, assistant, {"ensemble": [plain, assistant]}]
    tiny = space(teacher={"choice": json.loads(json.dumps(options))}, method=PLAIN)  # without YAML's aliases
    assert sorted(each.train.epochs for each in all_teacher_recipes(students_per_teacher(tiny))) == [2, 2, 2, 3]
    assert plan(tiny, digits).teachers == 4


@pytest.mark.parametrize(
    "parts",
    [
        {"method": {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}},
        {"method": PLAIN, "train": {"shift": 1}},
    ],
)
def test_what_is_asked_of_a_teacher_is_timed(space, digits, parts, monkeypatch):
    monkeypatch.setattr(Recipe, "baseline", lambda recipe: pytest.fail("timed without its teacher"))
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    assert measure_pace(space(teacher=teacher, **parts).fill({}, 0), digits).epoch_seconds > 0


@pytest.mark.parametrize(("shift", "passes"), [(0, 0), (1, 9), ({"choice": [0, 1]}, 9)])
def test_a_teacher_s_answers_to_views_take_their_time(space, digits, monkeypatch, shift, passes):
    monkeypatch.setattr("search.plan.estimate.measure_pace", lambda *_: Pace(0.0, 1.0))
    asked = plan(space(method=PLAIN, train={"shift": shift}), digits)
    assert asked.teacher_seconds == sum(digits.sizes.values()) + passes * len(digits.train.labels)


@pytest.mark.parametrize("method", [{"name": "none"}, {**PLAIN, "alpha": 0}])
def test_nobody_is_taught_where_no_student_listens(space, digits, method):
    alone = space(method=method)
    assert students_per_teacher(alone) == []
    assert plan(alone, digits).students == {"explore": 0, "baseline": 1, "confirm": 0}


@pytest.mark.parametrize(
    "parts",
    [
        {"train": {"optimizer": "sgd", "lr": 1e38, "batch_size": 64}},
        {"train": {"batch_size": 100_000}},
        {"train": {"warmup": 2, "schedule": "cosine", "epochs": 3}},
    ],
)
def test_time_can_be_estimated_for_whatever_may_be_trained(space, digits, parts):
    tiny = space(method=PLAIN, **parts)
    assert measure_pace(tiny.fill({}, 0), digits).epoch_seconds > 0


@pytest.mark.parametrize(("method", "times"), [({"name": "none"}, STARTUP_COST), (PLAIN, STARTUP_COST + 1)])
def test_what_imports_take_is_expected_of_whoever_imports_again(space, digits, monkeypatch, method, times):
    """Ray, its workers, the tables, and in part each student; and the process of a teacher that is not cached."""
    monkeypatch.setattr("search.plan.estimate.measure_pace", lambda *_: Pace(1.0, 0.0))
    searched, found = space(method=method), []
    for imports in (2.0, 12.0):
        found.append(plan(searched, digits, import_seconds=imports))
    few, many = found
    assert many.seconds - few.seconds == pytest.approx(10 * (times + STUDENT_COST * sum(few.students.values())))


@pytest.mark.parametrize(("patience", "steps"), [(0.0, 2), (1000.0, 2 * TIMED_STEPS)])
def test_whoever_is_slow_is_timed_by_fewer_steps(space, digits, monkeypatch, patience, steps):
    taken = []
    timed = search.plan.estimate.fit
    monkeypatch.setattr("search.plan.estimate.TIMING_SECONDS", patience)
    monkeypatch.setattr("search.plan.estimate.fit", lambda *given: (taken.append(1) or each for each in timed(*given)))
    assert measure_pace(space(method={"name": "none"}).fill({}, 0), digits).epoch_seconds > 0 and len(taken) == steps


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
        lambda recipe, *given: sizes.append(recipe.train.batch_size) or timed(recipe, *given),
    )
    measure_pace(space(method={"name": "none"}).fill({}, 0), digits)
    assert sizes == [size]


def test_a_method_that_raises_is_timed_without_itself(space, digits, monkeypatch):
    from trainables.methods import METHODS

    def broken(student, teacher, labels, *, alpha, temperature):
        raise RuntimeError("for its students to tell")

    monkeypatch.setitem(METHODS, "hinton", broken)
    assert measure_pace(space(method=PLAIN).fill({}, 0), digits).epoch_seconds > 0


def test_students_at_once_are_as_many_as_asked_for_and_fit(space):
    assert local_workers(space(resources={"workers": 1})) == 1
    assert local_workers(space(resources={"cpus": 1000})) == 1
    assert local_workers(space(resources={"cpus": 0.5})) >= 2


@pytest.mark.parametrize(
    ("resources", "most"), [({}, 16), ({"gpus": 1}, 2), ({"gpus": 0.25}, 8), ({"gpus": 0.25, "cpus": 4}, 4)]
)
def test_students_at_once_are_as_many_as_processors_and_gpus_suffice_for(space, resources, most):
    assert worker_count(space(resources=resources), 16, 2) == most


def test_a_teacher_that_was_taught_takes_no_more_time(space, digits, monkeypatch, tmp_path):
    monkeypatch.setenv("KD_CACHE", str(tmp_path))
    tiny = space(method=PLAIN, teacher={"model": {"name": "mlp", "hidden": [8]}, "train": {"epochs": 1}})
    assert plan(tiny, digits).teacher_seconds > 0
    for _ in train_teacher(students_per_teacher(tiny)[0].recipe, digits):
        pass
    assert plan(tiny, digits).teacher_seconds == 0


def test_validation_and_test_are_part_of_the_time(space, digits):
    recipe = space(method=PLAIN).fill({}, 0)
    found = measure_pace(recipe, digits)
    assert found.epoch_seconds > len(digits.val.labels) * found.image_seconds > 0


def test_a_grid_of_thousands_of_options_is_listed_as_fast_for_each_as_a_small_one(space, digits):
    def seconds(n: int) -> float:
        many = space(train={"epochs": 1, "lr": {"choice": [round(1e-4 * place, 4) for place in range(1, n + 1)]}})
        began = perf_counter()
        assert len(grid_students(many, digits)) >= n
        return (perf_counter() - began) / n

    assert seconds(3000) < 4 * seconds(300)
