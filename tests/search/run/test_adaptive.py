"""Adaptive search: TPE proposes, halving stops, the best is confirmed with new seeds beside its baseline."""

from __future__ import annotations

from unittest import mock

import pandas
import pytest
import ray
from ray.air.execution._internal import RayActorManager

from results import paths, records
from search.engine import _train_baselines
from search.trials.tuner import run_trials

SPACE = {
    "method": {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": {"loguniform": [1, 16]}},
    "student": {"model": {"name": "mlp", "hidden": {"choice": [[4], [8], [1000, 1000]]}}},
    "train": {"epochs": 4, "batch_size": 64, "lr": {"loguniform": [1e-4, 1e-1]}},
    "search": {"algorithm": "tpe", "scheduler": "asha", "trials": 8, "reduction": 2, "limit": {"parameters": 5000}},
    "confirm": {"top": 1, "seeds": [10, 11], "train_on": "all"},
    "baseline": {"trials": 4},
}


@pytest.fixture(scope="module")
def searched(search_here, write, tmp_path_factory):
    home = tmp_path_factory.mktemp("adaptive")
    start_worker = RayActorManager.add_actor
    with mock.patch.object(RayActorManager, "add_actor", autospec=True, side_effect=start_worker) as started:
        run = search_here(write(home / "adaptive.yaml", **SPACE), home / "run")
    assert run.code == 0, run.output
    assert started.call_count == 1  # one processor: one worker for all four stages
    return home / "run"


@pytest.fixture(scope="module")
def lines(searched) -> pandas.DataFrame:
    return pandas.read_csv(paths.students_file(searched))


def test_all_trials_were_explored_with_the_first_seed(lines):
    explored = lines[lines["stage"] == "explore"]
    assert len(explored) == 8 and set(explored["seed"]) == {0}
    assert set(explored["status"]) == {"finished", "stopped"}


def test_stopped_students_ended_at_a_rung(lines):
    stopped = lines[lines["status"] == "stopped"]
    assert set(stopped["epochs"]) <= {1, 2}
    assert stopped["test_accuracy"].isna().all()
    assert set(lines[lines["status"] == "finished"]["epochs"]) == {4}


def test_students_over_the_limit_were_not_trained(lines):
    assert lines["parameters"].max() <= 5000


def test_the_best_is_confirmed_at_full_budget_with_new_seeds_and_a_baseline(lines):
    finished = lines[(lines["stage"] == "explore") & (lines["status"] == "finished")]
    best = finished.loc[finished["val_accuracy"].idxmax()]
    confirmed, baseline = lines[lines["stage"] == "confirm"], lines[lines["stage"] == "baseline"]
    baseline = baseline[(baseline["seed"] > 0) & (baseline["train.lr"] == best["train.lr"])]
    assert sorted(confirmed["seed"]) == sorted(baseline["seed"]) == [10, 11]
    for knob in ("method.alpha", "method.temperature", "train.lr", "student.model.hidden"):
        assert set(confirmed[knob]) == {best[knob]}
    assert set(baseline["train.lr"]) == {best["train.lr"]} and set(baseline["method.alpha"]) == {0}
    assert set(confirmed["epochs"]) == set(baseline["epochs"]) == {4}
    both = pandas.concat([confirmed, baseline])
    assert set(both["train_on"]) == {"all"} and both["val_accuracy"].isna().all()  # trained on the validation images
    assert both["test_accuracy"].notna().all() and finished["train_on"].isna().all()


def test_the_baseline_is_searched_too_and_its_best_trained_with_the_new_seeds(searched, lines):
    baseline = lines[lines["stage"] == "baseline"]
    tried = baseline[baseline["seed"] == 0]
    assert len(tried) == tried["train.lr"].nunique() == 4 and set(tried["student.model.hidden"]) <= {"[4]", "[8]"}
    rate = tried.loc[tried[tried["status"] == "finished"]["val_accuracy"].idxmax(), "train.lr"]
    tuned = baseline[(baseline["seed"] > 0) & (baseline["train.lr"] == rate)]
    assert sorted(tuned["seed"]) == [10, 11] and len(baseline) == 4 + 2 + 2
    text = paths.leaderboard_file(searched, "md").read_text()
    assert "was tuned too, by up to 4 trials of the same search over train.lr" in text or "over lr;" in text


def test_checkpoints_are_removed_and_finished_students_have_weights(searched, lines):
    assert not list(searched.rglob("checkpoint.safetensors"))
    trials = {path.parent.name for path in searched.rglob("student.safetensors")}
    assert trials == set(lines[lines["status"] == "finished"]["trial"])


@pytest.mark.slow
def test_running_again_trains_nothing(searched, search_here, write, tmp_path, rows):
    before = rows(searched)
    run = search_here(write(tmp_path / "adaptive.yaml", **SPACE), searched)
    assert run.code == 0, run.output
    assert rows(searched) == before


@pytest.mark.slow
def test_an_interrupted_search_resumes_its_students(start, search_here, write, tmp_path, halfway, rows):
    parts = {**SPACE, "train": {**SPACE["train"], "batch_size": 4}}
    space, folder = write(tmp_path / "adaptive.yaml", **parts), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: halfway(folder) and len(records.trial_names(folder)) > 2)
    run.kill()
    begun = rows(folder)
    run = search_here(space, folder)
    assert run.code == 0, run.output
    lines = pandas.read_csv(paths.students_file(folder))
    assert len(lines[lines["stage"] == "explore"]) == 8
    assert not set(lines["status"]) & {"running", "failed"}
    after = rows(folder)
    for trial, earlier in begun.items():
        assert after[trial][: len(earlier)] == earlier
        assert (len(after[trial]) == len(earlier)) == (earlier[-1]["kind"] == "end")


def _kill_free_workers(context, *arguments) -> None:
    """Kill the workers between two stages."""
    assert list(context.workers.free)
    for worker in context.workers.free:
        ray.kill(context.workers.manager._live_actors_to_ray_actors_resources[worker][0])
    _train_baselines(context, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["none", "median"])
def test_random_search_under_other_schedulers_ends_with_a_baseline(
    search_here, write, tmp_path, scheduler, monkeypatch
):
    """In one case, the free worker dies before the baseline begins."""
    tuners = mock.Mock(side_effect=run_trials)
    monkeypatch.setattr("search.stage_training.run_trials", tuners)
    if scheduler == "none":
        monkeypatch.setattr("search.engine._train_baselines", _kill_free_workers)
    search = {"algorithm": "random", "scheduler": scheduler, "trials": 6, "limit": {"parameters": 5000}}
    parts = {**SPACE, "search": search, "confirm": None, "baseline": None}
    space, folder = write(tmp_path / "adaptive.yaml", **parts), tmp_path / "run"
    for _ in range(2):
        run = search_here(space, folder)
        monkeypatch.undo()
        assert run.code == 0, run.output
        assert tuners.call_count == 2  # nothing was dropped and retried
        lines = pandas.read_csv(paths.students_file(folder))
        assert list(lines["stage"]).count("explore") == 6 and list(lines["stage"]).count("baseline") == 1
        statuses = {"finished", "stopped"} if scheduler == "median" else {"finished"}
        assert set(lines["status"]) <= statuses


@pytest.mark.slow
def test_packs_of_proposals_are_stopped_one_by_one_also_after_a_kill(
    start, search_here, write, tmp_path, halfway, rows
):
    search = {**SPACE["search"], "algorithm": "random"}
    parts = {**SPACE, "search": search, "confirm": None, "resources": {"pack": 4, "workers": 1}}
    parts["student"] = {"model": {"name": "mlp", "hidden": [8]}}
    parts["train"] = {**SPACE["train"], "batch_size": 8}
    space, folder = write(tmp_path / "packs.yaml", **parts), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: halfway(folder))
    run.kill()
    begun = rows(folder)
    run = search_here(space, folder)
    assert run.code == 0, run.output
    lines = pandas.read_csv(paths.students_file(folder))
    explored = lines[lines["stage"] == "explore"]
    assert len(explored) == 8 and set(explored["status"]) == {"finished", "stopped"}
    stopped = explored[explored["status"] == "stopped"]
    assert set(stopped["epochs"]) <= {1, 2} and stopped["test_accuracy"].isna().all()
    assert not list(folder.rglob("checkpoint.safetensors"))
    after = rows(folder)
    first = [next(row for row in after[trial] if row["kind"] == "epoch")["seconds"] for trial in explored["trial"]]
    assert len(set(first)) < len(first)  # of a pack each student has its share of one and the same time
    repeated = 0
    for trial, earlier in begun.items():
        assert after[trial][: len(earlier)] == earlier
        epochs = [row["epoch"] for row in after[trial] if row["kind"] == "epoch"]
        assert sorted(set(epochs)) == list(range(1, max(epochs) + 1))
        repeated += len(epochs) - len(set(epochs))
    assert repeated <= 1  # of one student, at most: the kill may have come between its row and its checkpoint
