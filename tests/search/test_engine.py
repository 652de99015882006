"""Winners of a stage, and students that Ray dropped; rows are written by hand."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from results.students import histories
from search import engine, stage_training
from search.algorithms.ranking import best_configurations, rank_configurations
from search.cluster.restart_plan import RayLostError
from search.students.spec import Pack, student_spec
from spaces.errors import UserError

SEARCH = {"algorithm": "random", "trials": 9}
METHOD = {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": 4}


def best_values(space, folder, stage: str, top: int) -> list[dict]:
    return [ranked.values for ranked in rank_configurations(histories(folder), stage, space.search.metric)[:top]]


@pytest.fixture
def explored(space, trained, folder):
    """Write students by alpha, with one accuracy per seed; return the best alphas."""

    def ranked(results: dict[float, list[float]], top: int = 2, metric: str = "val_accuracy", status: str = "finished"):
        searched = space(method=METHOD, search={**SEARCH, "metric": metric})
        for alpha, accuracies in results.items():
            for seed, accuracy in enumerate(accuracies):
                trained(student_spec(searched, "explore", {"method.alpha": alpha}, seed, 0), [0.99, accuracy], status)
        return [values["method.alpha"] for values in best_values(searched, folder, "explore", top)]

    return ranked


def test_students_are_ranked_by_their_last_epoch(explored):
    assert explored({0.2: [0.5], 0.4: [0.9], 0.6: [0.7]}) == [0.4, 0.6]


def test_a_loss_is_better_when_it_is_lower(explored):
    assert explored({0.2: [0.5], 0.4: [0.9], 0.6: [0.7]}, metric="val_loss") == [0.4, 0.6]  # losses: 1 − accuracy


def test_seeds_are_averaged_and_values_with_missing_seeds_left_out(explored):
    assert explored({0.2: [0.5, 0.7], 0.4: [0.9, 0.1], 0.6: [0.95]}) == [0.2, 0.4]


@pytest.mark.parametrize("status", ["stopped", "diverged", "failed", None])
def test_only_finished_students_are_compared(explored, status):
    assert explored({0.2: [0.9]}, status=status) == []
    assert explored({0.4: [0.5]}) == [0.4]


def test_a_baseline_is_never_a_winner(space, trained, folder):
    searched = space(method=METHOD, search=SEARCH)
    trained(student_spec(searched, "baseline", {"method.alpha": 0.5}, 0, 0), [0.9])
    assert best_values(searched, folder, "explore", 1) == []


def test_stages_are_ranked_separately(space, trained, folder):
    searched = space(method=METHOD, search=SEARCH)
    for stage, seed, results in (("explore", 0, {0.2: 0.9, 0.4: 0.8}), ("confirm", 5, {0.2: 0.6, 0.4: 0.7})):
        for alpha, accuracy in results.items():
            trained(student_spec(searched, stage, {"method.alpha": alpha}, seed, 0), [accuracy])
    assert best_values(searched, folder, "explore", 1) == [{"method.alpha": 0.2}]
    assert best_values(searched, folder, "confirm", 1) == [{"method.alpha": 0.4}]


def test_the_best_of_each_option_are_confirmed(space, trained, folder):
    methods = [{**METHOD, "name": name, "alpha": {"choice": [0.2, 0.4, 0.6]}} for name in ("hinton", "standardized")]
    searched = space(method={"choice": methods}, search={"algorithm": "grid"})
    for name, accuracies in (("hinton", [0.7, 0.9, 0.8]), ("standardized", [0.6, 0.4, 0.5])):
        for alpha, accuracy in zip((0.2, 0.4, 0.6), accuracies, strict=True):
            trained(student_spec(searched, "explore", {"method": name, "method.alpha": alpha}, 0, 0), [accuracy])
    for top, expected in ((1, [0.4, 0.2]), (2, [0.4, 0.6, 0.2, 0.6])):
        best = best_configurations(histories(folder), "explore", ["val_accuracy"], top, "method")
        assert [configuration.values["method.alpha"] for configuration in best] == expected


def test_students_with_fewer_epochs_count_by_their_last_epoch(space, trained, folder):
    searched = space(method=METHOD, search=SEARCH, train={"epochs": {"choice": [1, 2]}})
    for epochs, accuracies in ((1, [0.9]), (2, [0.1, 0.5])):
        trained(student_spec(searched, "explore", {"method.alpha": 0.5, "train.epochs": epochs}, 0, 0), accuracies)
    assert [values["train.epochs"] for values in best_values(searched, folder, "explore", 2)] == [1, 2]


@pytest.fixture
def tune(space, trained, folder, monkeypatch):
    """Replace Ray Tune: each run finishes the listed seeds.

    Returns packs, students, and a function that runs a stage.
    """
    packs, searched = [], space(method={**METHOD, "alpha": {"choice": [0.5, 1]}}, seeds=[0, 1, 2])
    students = [student_spec(searched, "explore", {"method.alpha": 0.5}, seed, 0) for seed in searched.seeds]

    def run_stage(*trains: list[int]):
        runs = iter(trains)

        def train(experiment, config, parameters, useful_workers, scheduler=None):
            packs.append(parameters["pack"]["grid_search"])
            for seed in next(runs):
                trained(students[seed], [0.5])

        monkeypatch.setattr(stage_training, "run_trials", train)
        monkeypatch.setattr(stage_training, "_ensure_teachers", lambda *_: None)
        nodes = SimpleNamespace(worker_count=lambda _: 1)
        display = SimpleNamespace(begin_stage=lambda *_: None)
        stage_training.train_listed(
            SimpleNamespace(space=searched, data=None, folder=folder, display=display, nodes=nodes), "explore", students
        )

    monkeypatch.setattr(stage_training, "group_into_packs", lambda *_: [Pack((student,)) for student in students])
    return packs, students, run_stage


def test_a_dropped_student_is_retried(tune):
    packs, students, run_stage = tune
    run_stage([0, 2], [1])
    assert packs == [[Pack((student,)) for student in students], [Pack((students[1],))]]


def test_a_student_dropped_twice_is_an_error(tune):
    """As after an early end of Tune: the search is not complete, and no winner may be confirmed."""
    _, _, run_stage = tune
    with pytest.raises(RayLostError, match="Ray dropped 1 students twice"):
        run_stage([0], [2])


def test_nothing_is_retried_without_need(tune):
    packs, _, run_stage = tune
    run_stage([0, 1, 2])
    assert len(packs) == 1


@pytest.mark.parametrize("confirm", [None, {"top": 1, "seeds": [7]}])
def test_a_stage_without_finished_students_prints_a_line(space, trained, folder, monkeypatch, confirm):
    searched = space(method=METHOD, search=SEARCH, confirm=confirm)
    console = Console(file=StringIO(), width=40)
    monkeypatch.setattr(engine, "_explore_adaptively", lambda *_: None)
    monkeypatch.setattr(engine, "train_listed", lambda _, name, students: stages.append((name, len(students))))
    stages: list[tuple[str, int]] = []
    experiment = SimpleNamespace(space=searched, folder=folder, display=SimpleNamespace(console=console))
    trained(student_spec(searched, "explore", {"method.alpha": 0.5}, 0, 0), [0.5], "diverged")
    engine.run_stages(experiment, 0)
    assert console.file.getvalue().count("explore: no student trained to its end") == 1
    assert not any(n for _, n in stages)
    trained(student_spec(searched, "explore", {"method.alpha": 0.7}, 0, 0), [0.5])
    engine.run_stages(experiment, 0)
    assert "explore" not in console.file.getvalue().partition("baseline")[2]
    assert ("confirm" if confirm else "baseline", 1) in stages


@pytest.mark.parametrize("over_at", ["after the teachers", "before the first proposal"])
def test_hours_that_end_before_the_first_student_are_named(over_at, space, digits, folder, monkeypatch):
    searched = space(method=METHOD, search={**SEARCH, "hours": 0.002}, seeds=[0])
    times = iter([100.0, 109.0, 109.0] if over_at == "after the teachers" else [100.0, 101.0, 101.0])
    monkeypatch.setattr("search.stage_training.time.time", lambda: next(times, 109.0))
    monkeypatch.setattr(stage_training, "_ensure_teachers", lambda *_: None)
    ran: list[object] = []
    monkeypatch.setattr(stage_training, "run_trials", lambda *_: ran.append(1))
    display, nodes = SimpleNamespace(begin_stage=lambda *_: None), SimpleNamespace(worker_count=lambda _: 1)
    context = SimpleNamespace(space=searched, data=digits, folder=folder, display=display, nodes=nodes)
    with pytest.raises(UserError) as error:
        engine._explore_adaptively(context, 107.2)
    message = "search.hours: found 0.002: the time was over before a student began"
    assert message in str(error.value) and "for the teachers, which are kept" in str(error.value)
    assert bool(ran) == (over_at != "after the teachers")
