"""Students of a grid in packs: each once, likes together, no larger than a worker gains by."""

from __future__ import annotations

import pytest

from search.plan.estimate import grid
from search.students.spec import teacher_of
from search.trials.grouping import FULL, LEAST, MOST, TURN, largest, packs, seconds, widest
from trainables.validate import price


@pytest.mark.parametrize("pack", ["auto", 1])
def test_on_a_processor_each_of_a_few_trains_alone(space, digits, pack):
    wanted = space(resources={"pack": pack}, seeds=[0, 1])
    students = grid(wanted, digits)
    assert [pack.students for pack in packs(wanted, digits, students, 2)] == [(each,) for each in students]


@pytest.mark.parametrize("workers", [1, 3])
def test_on_a_processor_brief_ones_take_turns(space, digits, workers):
    wanted = space(seeds=list(range(40)), train={"epochs": 2, "batch_size": 512, "lr": 0.01})
    students = grid(wanted, digits)
    made = packs(wanted, digits, students, workers)
    assert sorted(each.key for pack in made for each in pack.students) == sorted(each.key for each in students)
    assert LEAST * workers <= len(made) < len(students) / 2 and not any(pack.as_one for pack in made)
    for pack in made:
        assert len({teacher_of(each.recipe) for each in pack.students}) == 1
        assert sum(seconds(each.recipe, digits) for each in pack.students) <= TURN


def test_long_ones_do_not(space, digits):
    wanted = space(seeds=list(range(40)), train={"epochs": 2000, "batch_size": 512, "lr": 0.01})
    assert all(len(pack.students) == 1 for pack in packs(wanted, digits, grid(wanted, digits), 1))


@pytest.mark.parametrize("epochs", [[1, 2000], [2000, 1]])
def test_nobody_brief_waits_for_somebody_long(space, digits, epochs):
    wanted = space(seeds=list(range(40)), train={"epochs": {"choice": epochs}, "batch_size": 512, "lr": 0.01})
    for pack in packs(wanted, digits, grid(wanted, digits), 1):
        assert len(pack.students) == 1 or {each.recipe.train.epochs for each in pack.students} == {1}


@pytest.mark.parametrize(("most", "sizes"), [(100, [2, 4]), (3, [2, 2, 2]), (1, [1] * 6)])
def test_likes_share_packs_of_about_one_size(space, digits, most, sizes):
    wanted = space(resources={"pack": most}, seeds=[0, 1])
    made = packs(wanted, digits, grid(wanted, digits), 2)
    assert [len(pack.students) for pack in made] == sizes
    assert sorted(each.key for pack in made for each in pack.students) == sorted(x.key for x in grid(wanted, digits))
    assert all(len({each.recipe.method.name for each in pack.students}) == 1 for pack in made)


def test_a_gpu_is_filled_and_no_more(space, digits):
    wanted = space(resources={"gpus": 1, "cpus": 1})
    small = grid(wanted, digits)[0].recipe
    assert largest(wanted, small, digits) == MOST
    wide = small.model_copy(
        update={"student": small.student.model_validate({"model": {"name": "mlp", "hidden": [9000] * 2}})}
    )
    n = largest(wanted, wide, digits)
    assert 1 <= n < MOST
    step = price(wide.network, digits).macs * wide.train.batch_size
    assert n * step <= FULL < (n + 1) * step


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
    assert most == widest(wanted, digits, workers=2)


def test_the_widest_pack_is_as_wide_as_the_smallest_student_allows(space, digits):
    for packed, most in ({"pack": 4}, 4), ({"pack": "auto"}, 1), ({"gpus": 1}, MOST):
        assert widest(space(resources=packed), digits, workers=1) == most
    alone = {"model": {"name": "shufflenet_v2", "stem": "small"}}
    assert widest(space(student=alone, resources={"pack": 4}), digits, workers=1) == 1
