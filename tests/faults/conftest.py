"""Fixtures of the tests of search, and the results of each fault for tests/faults/README.md."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # mutations.py


def _load(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE.parent / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_search, _run = _load("faults_search", "search/conftest.py"), _load("faults_run", "search/run/conftest.py")
shared, places, own_places = _search.shared, _search.places, _search.own_places
write, digits = _search.write, _search.digits
space, trained, folder = _search.space, _search.trained, _search.folder
start, grid, assert_same, rows = _run.start, _run.grid, _run.assert_same, _run.rows
Process, all_processes = _run.Process, _run.all_processes


@pytest.fixture(scope="session")
def slow_space(write: Callable[..., Path]) -> Callable[..., Path]:
    """The slow space of the tests of search, with any part replaced."""
    return lambda folder, **parts: write(folder / "slow.yaml", **{"table": _run.TABLE, **_run.SLOW, **parts})


FULL = bool(os.environ.get("KD_FAULTS"))  # as `make faults` runs them: every phase, all repetitions
only_in_full = pytest.mark.skipif(not FULL, reason="part of `make faults`")


@pytest.fixture
def tally(request) -> Callable[..., None]:
    """Record one line of the table: tries, lost students or files, repeated epochs."""

    def note(fault: str, *, tries: int, lost: int = 0, repeated: int | None = None, note: str = "") -> None:
        if FULL:
            line = {"fault": fault, "tries": tries, "lost": lost, "repeated": repeated, "note": note}
            line |= {"test": request.node.nodeid, "day": str(datetime.now(UTC).date())}
            with open(os.environ["KD_FAULTS"], "a") as file:
                file.write(json.dumps(line) + "\n")
        assert lost == 0, f"{fault}: {lost} lost"

    return note


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests a long timeout: the machine may be busy."""
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(3600 if FULL else 1800), append=False)
