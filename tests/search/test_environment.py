"""environment.json: elapsed time and time limit of an experiment over several runs."""

from __future__ import annotations

import pytest

from results import records
from search.environment import (
    VERSIONED_PACKAGES,
    RunRecord,
    earlier_seconds,
    environment_record,
    network_packages,
)


def write_row(folder, trial: str, time: float) -> None:
    records.append_row(folder, trial, {"kind": "student", "trial": trial, "stage": "explore", "seed": 0, "time": time})


def test_a_new_experiment_has_taken_no_time(folder):
    assert earlier_seconds(folder) == 0


def test_a_run_that_ended_recorded_its_time(folder):
    write_row(folder, "one", 5000.0)
    records.save_environment(folder, {"spent_seconds": 60.0})
    assert earlier_seconds(folder) == 60


@pytest.mark.parametrize(("times", "seconds"), [([], 60), ([900.0], 60), ([900.0, 1500.0, 1200.0], 560)])
def test_a_killed_run_counts_up_to_its_last_row(folder, times, seconds):
    """Otherwise it would get its hours again, and the protocol would show too few."""
    for number, time in enumerate(times):
        write_row(folder, f"trial-{number}", time)
    records.save_environment(folder, {"spent_seconds": 60.0, "running_since": 1000.0})
    assert earlier_seconds(folder) == seconds


def test_a_record_adds_up_runs_and_keeps_the_first_start(folder, monkeypatch):
    clock = iter([1000.0, 1030.0, 2000.0, 2012.0])
    monkeypatch.setattr("search.environment.time.time", lambda: next(clock))
    first = RunRecord(folder, {"started": "monday", "command": "x"})
    assert records.read_environment(folder)["running_since"] == 1000
    assert first.deadline(None) == float("inf") and first.deadline(1.0) == 1000 + 3600
    first.save(complete=False)
    environment = records.read_environment(folder)
    assert "wall_seconds" not in environment and "running_since" not in environment
    second = RunRecord(folder, {"started": "tuesday", "command": "x"})
    assert second.deadline(1.0) == 2000 + 3600 - 30
    second.save(complete=True)
    environment = records.read_environment(folder)
    assert (environment["wall_seconds"], environment["spent_seconds"], environment["started"]) == (42, 42, "monday")


def test_another_machine_or_version_adds_a_run(folder):
    """The record of the first run stays: its numbers are in the table."""
    machine = {"device": "Xeon", "cores": 4, "versions": {"torch": "2.13.0"}}
    newer = machine | {"versions": {"torch": "2.14.0"}}
    for started, record in [("monday", machine), ("tuesday", machine), ("friday", newer), ("sunday", machine)]:
        RunRecord(folder, {"started": started, "command": started, **record}).save(complete=True)
    environment = records.read_environment(folder)
    assert (environment["versions"], environment["started"]) == (machine["versions"], "monday")
    assert environment["command"] == "sunday"
    assert environment["runs"] == [{"started": "monday", **machine}, {"started": "friday", **newer}]


def test_packages_of_the_networks_are_recorded(space, digits):
    """Another version of timm may build another network."""
    assert network_packages(
        [{"model": {"name": "timm", "arch": "a"}}, {"of": [{"name": "onnx"}, {"name": "timm"}]}]
    ) == [
        "timm",
        "onnxruntime",
    ]
    versions = environment_record(space(), digits, "", {})["versions"]
    assert set(versions) == {"python", *VERSIONED_PACKAGES}


def test_a_record_of_an_earlier_version_is_the_first_run(folder):
    machine = {"device": "Xeon", "cores": 4, "versions": {"torch": "2.13.0"}}
    records.save_environment(folder, {"started": "monday", **machine})
    RunRecord(folder, {"started": "friday", **machine, "cores": 8})
    assert [run["cores"] for run in records.read_environment(folder)["runs"]] == [4, 8]


def test_the_nodes_of_all_runs_are_recorded(folder):
    first = RunRecord(folder, {"started": "monday"})
    first.add_nodes([{"name": "a"}, {"name": "b"}])
    assert "running_since" in records.read_environment(folder)
    first.save(complete=False)
    second = RunRecord(folder, {"started": "tuesday"})
    second.add_nodes([{"name": "b"}, {"name": "c"}])
    second.save(complete=True)
    assert records.read_environment(folder)["nodes"] == [{"name": "a"}, {"name": "b"}, {"name": "c"}]
