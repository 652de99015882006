"""Plan and addresses in shared memory, and errors while Ray is dead."""

from __future__ import annotations

import socket

import pytest
from ray.exceptions import WorkerCrashedError
from ray.tune import TuneError

from search.cluster import restart_plan as module
from search.cluster.restart_plan import RayLostError, RestartPlan, ray_watched, read_plan, restart_plan, write_plan

PLAN = RestartPlan("run", "python -m search.run x.yaml", restart=True)


@pytest.fixture
def raylet():
    server = socket.create_server(("127.0.0.1", 0))
    yield server
    server.close()


@pytest.fixture
def addresses(raylet) -> dict[str, str]:
    return {"raylet": f"127.0.0.1:{raylet.getsockname()[1]}"}


def test_the_addresses_are_shared_while_connected_only(addresses):
    with restart_plan(PLAN):
        assert read_plan() == PLAN
        with ray_watched(addresses):
            assert read_plan() == PLAN._replace(addresses=addresses)
        assert read_plan() == PLAN
    assert read_plan() is None


def test_a_plan_that_is_read_while_it_is_written_is_none():
    try:
        module.SHARED_MEMORY[:9] = b'["run", "'
        assert read_plan() is None
    finally:
        write_plan(None)


@pytest.mark.parametrize("error", [WorkerCrashedError, TuneError, ValueError])
def test_an_error_while_ray_is_dead_is_ray_lost(raylet, addresses, error):
    """Ray's own error, or whatever Tune made of it."""
    with pytest.raises(RayLostError, match="Ray's raylet died"), ray_watched(addresses):
        raylet.close()
        raise error


@pytest.mark.parametrize("error", [WorkerCrashedError, KeyboardInterrupt, ValueError])
def test_an_error_while_ray_lives_stays_the_same(addresses, error):
    with pytest.raises(error), ray_watched(addresses):
        raise error


def test_an_interrupt_while_ray_is_dead_stays_an_interrupt(raylet, addresses):
    with pytest.raises(KeyboardInterrupt), ray_watched(addresses):
        raylet.close()
        raise KeyboardInterrupt


def test_dropped_students_are_reported_by_the_same_error(addresses):
    with pytest.raises(RayLostError, match="dropped 2 students"), ray_watched(addresses):
        raise RayLostError("Ray dropped 2 students twice")


def test_a_normal_end_is_no_loss(raylet, addresses):
    with ray_watched(addresses):
        raylet.close()
