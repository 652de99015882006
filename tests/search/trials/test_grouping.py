"""Students of a grid in packs: each once, likes together, no larger than a worker gains by."""

from __future__ import annotations

import pytest

from search.students.candidates import grid_students
from search.students.spec import teacher_json
from search.trials.grouping import (
    FULL_GPU_MACS,
    MAX_PACK_SIZE,
    TRIALS_PER_WORKER,
    TURN_SECONDS,
    group_into_packs,
    max_pack_size,
    pack_size_limit,
    training_seconds,
)
from trainables.cost import network_cost


@pytest.mark.parametrize("pack", ["auto", 1])
def test_on_a_processor_each_of_a_few_trains_alone(space, digits, pack):
    wanted = space(resources={"pack": pack}, seeds=[0, 1])
    students = grid_students(wanted, digits)
    assert [pack.students for pack in group_into_packs(wanted, digits, students, 2)] == [(each,) for each in students]


@pytest.mark.parametrize("workers", [1, 3])
def test_on_a_processor_brief_ones_take_turns(space, digits, workers):
    wanted = space(seeds=list(range(40)), train={"epochs": 2, "batch_size": 512, "lr": 0.01})
    students = grid_students(wanted, digits)
    made = group_into_packs(wanted, digits, students, workers)
    assert sorted(each.key for pack in made for each in pack.students) == sorted(each.key for each in students)
    assert TRIALS_PER_WORKER * workers <= len(made) < len(students) / 2 and not any(pack.stacked for pack in made)
    for pack in made:
        assert len({teacher_json(each.recipe) for each in pack.students}) == 1
        assert sum(training_seconds(each.recipe, digits) for each in pack.students) <= TURN_SECONDS


def test_long_ones_do_not(space, digits):
    wanted = space(seeds=list(range(40)), train={"epochs": 2000, "batch_size": 512, "lr": 0.01})
    assert all(len(pack.students) == 1 for pack in group_into_packs(wanted, digits, grid_students(wanted, digits), 1))


@pytest.mark.parametrize("epochs", [[1, 2000], [2000, 1]])
def test_nobody_brief_waits_for_somebody_long(space, digits, epochs):
    wanted = space(seeds=list(range(40)), train={"epochs": {"choice": epochs}, "batch_size": 512, "lr": 0.01})
    for pack in group_into_packs(wanted, digits, grid_students(wanted, digits), 1):
        assert len(pack.students) == 1 or {each.recipe.train.epochs for each in pack.students} == {1}


@pytest.mark.parametrize(("most", "sizes"), [(100, [2, 4]), (3, [2, 2, 2]), (1, [1] * 6)])
def test_likes_share_packs_of_about_one_size(space, digits, most, sizes):
    wanted = space(resources={"pack": most}, seeds=[0, 1])
    made = group_into_packs(wanted, digits, grid_students(wanted, digits), 2)
    assert [len(pack.students) for pack in made] == sizes
    assert sorted(each.key for pack in made for each in pack.students) == sorted(
        x.key for x in grid_students(wanted, digits)
    )
    assert all(len({each.recipe.method.name for each in pack.students}) == 1 for pack in made)


def test_a_gpu_is_filled_and_no_more(space, digits):
    wanted = space(resources={"gpus": 1, "cpus": 1})
    small = grid_students(wanted, digits)[0].recipe
    assert pack_size_limit(wanted, small, digits) == MAX_PACK_SIZE
    wide = small.model_copy(
        update={"student": small.student.model_validate({"model": {"name": "mlp", "hidden": [9000] * 2}})}
    )
    n = pack_size_limit(wanted, wide, digits)
    assert 1 <= n < MAX_PACK_SIZE
    step = network_cost(wide.network, digits).macs * wide.train.batch_size
    assert n * step <= FULL_GPU_MACS < (n + 1) * step


@pytest.mark.parametrize(
    ("pack", "search", "most"),
    [
        ("auto", {"algorithm": "tpe", "trials": 500}, 1),  # on a processor
        (8, {"algorithm": "tpe", "trials": 500}, 8),
        (8, {"algorithm": "tpe", "trials": 60}, 3),
        (8, {"algorithm": "tpe", "trials": 5}, 1),
        (8, {"algorithm": "random", "trials": 5}, 8),  # which learns nothing in between
    ],
)
def test_a_sampler_that_learns_is_asked_ten_times_at_least_by_each_worker(space, digits, pack, search, most):
    wanted = space(resources={"pack": pack}, search=search)
    assert most == max_pack_size(wanted, digits, workers=2)


def test_the_widest_pack_is_as_wide_as_the_smallest_student_allows(space, digits):
    for packed, most in ({"pack": 4}, 4), ({"pack": "auto"}, 1), ({"gpus": 1}, MAX_PACK_SIZE):
        assert max_pack_size(space(resources=packed), digits, workers=1) == most
    alone = {"model": {"name": "shufflenet_v2", "stem": "small"}}
    assert max_pack_size(space(student=alone, resources={"pack": 4}), digits, workers=1) == 1
