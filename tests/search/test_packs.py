"""Students of a grid in packs: each once, likes together, no larger than a worker gains by."""

from __future__ import annotations

import pytest

from search.packs import FULL, MOST, largest, packs
from search.plan import grid
from trainables.check import price


@pytest.mark.parametrize("pack", ["auto", 1])
def test_on_a_processor_each_trains_alone(space, digits, pack):
    wanted = space(resources={"pack": pack}, seeds=[0, 1])
    students = grid(wanted, digits)
    assert [pack.students for pack in packs(wanted, digits, students)] == [(each,) for each in students]


@pytest.mark.parametrize(("most", "sizes"), [(100, [2, 4]), (3, [2, 2, 2]), (1, [1] * 6)])
def test_likes_share_packs_of_about_one_size(space, digits, most, sizes):
    wanted = space(resources={"pack": most}, seeds=[0, 1])
    made = packs(wanted, digits, grid(wanted, digits))
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
