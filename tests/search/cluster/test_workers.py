"""Number of workers, limited by the space and by the machines."""

from __future__ import annotations

import pytest

from search.cluster.workers import local_workers, worker_count


def test_workers_are_limited_by_the_space_and_the_machine(space):
    assert local_workers(space(resources={"workers": 1})) == 1
    assert local_workers(space(resources={"cpus": 1000})) == 1
    assert local_workers(space(resources={"cpus": 0.5})) >= 2


@pytest.mark.parametrize(
    ("resources", "most"), [({}, 16), ({"gpus": 1}, 2), ({"gpus": 0.25}, 8), ({"gpus": 0.25, "cpus": 4}, 4)]
)
def test_workers_are_limited_by_cpus_and_gpus(space, resources, most):
    assert worker_count(space(resources=resources), 16, 2) == most
