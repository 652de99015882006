"""Tune's controller while no worker can be placed; Ray is replaced."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from search.trials import controller as module
from search.trials.controller import POLL_SECONDS, StudentController


@pytest.mark.parametrize(("workers", "pauses"), [(0, [POLL_SECONDS]), (1, [])])
def test_a_wait_for_a_node_pauses_between_steps(workers, pauses, monkeypatch):
    """Without a worker Ray has no event to wait for, and returns at once."""
    controller, slept = object.__new__(StudentController), []
    controller._placement = SimpleNamespace(worker_count=lambda: 1)
    controller._actor_manager = SimpleNamespace(num_live_actors=workers)
    controller._search_alg, controller._running_trials, controller._pending_trials = None, [], []
    monkeypatch.setattr(module.TuneController, "step", lambda self: None)
    monkeypatch.setattr(module, "sleep", slept.append)
    controller.step()
    assert slept == pauses
