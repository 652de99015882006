"""Packs: every student once, equal pack keys together, sizes limited."""

from __future__ import annotations

import pytest

from search.students.candidates import grid_students
from search.students.spec import teacher_json
from search.trials.grouping import (
    TRIALS_PER_WORKER,
    TURN_SECONDS,
    group_into_packs,
    max_pack_size,
    training_seconds,
)


@pytest.mark.parametrize("pack", ["auto", 1])
def test_few_students_on_a_cpu_train_alone(space, digits, pack):
    searched = space(resources={"pack": pack}, seeds=[0, 1])
    students = grid_students(searched, digits)
    assert [pack.students for pack in group_into_packs(searched, digits, students, 2)] == [
        (student,) for student in students
    ]


@pytest.mark.parametrize("workers", [1, 3])
def test_short_trainings_on_a_cpu_take_turns(space, digits, workers):
    searched = space(seeds=list(range(40)), train={"epochs": 2, "batch_size": 512, "lr": 0.01})
    students = grid_students(searched, digits)
    packs = group_into_packs(searched, digits, students, workers)
    assert sorted(student.key for pack in packs for student in pack.students) == sorted(
        student.key for student in students
    )
    assert TRIALS_PER_WORKER * workers <= len(packs) < len(students) / 2 and not any(pack.stacked for pack in packs)
    for pack in packs:
        assert len({teacher_json(student.recipe) for student in pack.students}) == 1
        assert sum(training_seconds(student.recipe, digits) for student in pack.students) <= TURN_SECONDS


def test_long_trainings_do_not_take_turns(space, digits):
    searched = space(seeds=list(range(40)), train={"epochs": 2000, "batch_size": 512, "lr": 0.01})
    assert all(
        len(pack.students) == 1 for pack in group_into_packs(searched, digits, grid_students(searched, digits), 1)
    )


@pytest.mark.parametrize("epochs", [[1, 2000], [2000, 1]])
def test_short_and_long_trainings_do_not_share_a_trial(space, digits, epochs):
    searched = space(seeds=list(range(40)), train={"epochs": {"choice": epochs}, "batch_size": 512, "lr": 0.01})
    for pack in group_into_packs(searched, digits, grid_students(searched, digits), 1):
        assert len(pack.students) == 1 or {student.recipe.train.epochs for student in pack.students} == {1}


@pytest.mark.parametrize(("limit", "sizes"), [(100, [2, 4]), (3, [2, 2, 2]), (1, [1] * 6)])
def test_packs_have_equal_pack_keys_and_similar_sizes(space, digits, limit, sizes):
    searched = space(resources={"pack": limit}, seeds=[0, 1])
    packs = group_into_packs(searched, digits, grid_students(searched, digits), 2)
    assert [len(pack.students) for pack in packs] == sizes
    assert sorted(student.key for pack in packs for student in pack.students) == sorted(
        student.key for student in grid_students(searched, digits)
    )
    assert all(len({student.recipe.method.name for student in pack.students}) == 1 for pack in packs)


@pytest.mark.parametrize(
    ("pack", "search", "limit"),
    [
        ("auto", {"algorithm": "tpe", "trials": 500}, 1),
        (8, {"algorithm": "tpe", "trials": 500}, 8),
        (8, {"algorithm": "tpe", "trials": 60}, 3),
        (8, {"algorithm": "tpe", "trials": 5}, 1),
        (8, {"algorithm": "random", "trials": 5}, 8),  # not adaptive
    ],
)
def test_an_adaptive_sampler_proposes_in_at_least_ten_rounds_per_worker(space, pack, search, limit):
    searched = space(resources={"pack": pack}, search=search)
    assert limit == max_pack_size(searched, workers=2)


def test_packs_are_used_on_request_where_a_network_allows_it(space):
    for packed, limit in ({"pack": 4}, 4), ({"pack": "auto"}, 1), ({"gpus": 1}, 1):
        assert max_pack_size(space(resources=packed), workers=1) == limit
    unpackable = {"model": {"name": "shufflenet_v2", "stem": "small"}}
    assert max_pack_size(space(student=unpackable, resources={"pack": 4}), workers=1) == 1
