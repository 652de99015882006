"""Final rows and console lines of the driver for packs of students."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.console import Console

from results.students import History, history
from search.students.spec import Pack, StudentSpec, student_spec, student_status
from search.trials.callback import MAX_RETRIES, StudentCallback
from search.trials.progress_display import ProgressDisplay


class RecordingTrackers:
    """Stand-in for the trackers; records the key of each updated student."""

    def __init__(self) -> None:
        self.updates: list[str] = []

    def update(self, past: History) -> None:
        self.updates.append(past.start["trial"])


@pytest.fixture
def callback(space, folder) -> StudentCallback:
    display = ProgressDisplay(Console(width=200), "val_accuracy", "max")
    display.begin_stage("explore", 6, 2)
    trackers = RecordingTrackers()
    return StudentCallback(space(), folder, display, trackers, set(), lambda *_: None)  # type: ignore[arg-type]


@pytest.fixture
def pair(space) -> list[StudentSpec]:
    values = {"method.alpha": 0, "method.temperature": 1}
    return [student_spec(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (0, 1)]


def ray_trial(students, failures: int = MAX_RETRIES + 1) -> SimpleNamespace:
    return SimpleNamespace(config={"pack": Pack(tuple(students))}, num_failures=failures, trial_id="trial")


def reported_row(student: StudentSpec, epoch: int) -> dict:
    return {"trial": student.key, "epoch": epoch, "val_accuracy": 0.5}


def statuses(students, folder) -> list[str | None]:
    return [student_status(history(folder, student.key)) for student in students]


def test_a_stopped_student_of_a_pack_ends_at_once_and_the_other_goes_on(callback, pair, trained, folder):
    for student in pair:
        trained(student, [0.5], status=None)
    callback.stopped.add(pair[0].key)
    rows = [reported_row(student, 1) for student in pair]
    callback.on_trial_result(1, [], ray_trial(pair), {"rows": rows})
    assert statuses(pair, folder) == ["stopped", None]
    callback.on_trial_result(2, [], ray_trial(pair), {"rows": [reported_row(pair[1], 2)]})
    assert callback.display.counts == {"stopped": 1}


def test_a_message_of_the_worker_is_printed(callback, pair, capsys):
    callback.on_trial_result(1, [], ray_trial(pair), {"rows": [], "message": "no memory"})
    assert "seed 0 and 1 in its pack: no memory" in capsys.readouterr().out


def test_trackers_are_updated_once_for_each_reported_student(callback, pair, trained):
    first, second = (trained(student, [0.5], status=None).key for student in pair)
    rows = [reported_row(student, 1) for student in pair]
    callback.on_trial_result(1, [], ray_trial(pair), {"rows": rows})
    assert callback.trackers.updates == [first, second]
    callback.on_trial_result(2, [], ray_trial(pair), {"rows": [reported_row(pair[1], 2)]})
    assert callback.trackers.updates == [first, second, second]


def test_a_student_trained_in_turn_ends_with_its_last_epoch_and_only_once(callback, pair, trained):
    for student in pair:
        trained(student, [0.5] * 3)
        callback.on_trial_result(1, [], ray_trial(pair), {"rows": [reported_row(student, 3)]})
    assert callback.display.counts == {"finished": 2} and not callback.display.running
    updates, epochs = list(callback.trackers.updates), callback.display.stage.completed
    callback.on_trial_result(1, [], ray_trial(pair), {"rows": [reported_row(pair[0], 3)]})  # a retry
    callback.on_trial_complete(1, [], ray_trial(pair))
    assert callback.display.counts == {"finished": 2} and not callback.display.running
    assert callback.trackers.updates == updates and callback.display.stage.completed == epochs


def test_a_dead_worker_of_a_pack_fails_no_student(callback, pair, trained, folder, capsys):
    finished, unfinished = trained(pair[0], [0.5] * 3), trained(pair[1], [0.5], status=None)
    callback.on_trial_error(1, [], ray_trial(pair))
    assert statuses(pair, folder) == ["finished", None]
    assert "each will be trained alone" in capsys.readouterr().out
    callback.on_trial_error(1, [], ray_trial([unfinished]))
    past = history(folder, unfinished.key)
    assert past is not None and past.end["status"] == "failed" and f"{MAX_RETRIES + 1} times" in past.end["reason"]
    assert student_status(history(folder, finished.key)) == "finished"


def test_a_worker_that_dies_before_the_first_row_fails_its_student(callback, pair, folder):
    callback.on_trial_error(1, [], ray_trial(pair[:1]))
    past = history(folder, pair[0].key)
    assert past is not None and past.start["stage"] == "baseline" and past.end["status"] == "failed"


def test_only_students_that_the_scheduler_stopped_are_stopped(callback, pair, trained, folder):
    """A trial may end without some of its students, as on a node that is lost; the engine retries them."""
    for student in pair:
        trained(student, [0.5], status=None)
    callback.stopped.add(pair[0].key)
    callback.on_trial_complete(1, [], ray_trial(pair))
    assert statuses(pair, folder) == ["stopped", None] and callback.display.counts == {"stopped": 1}


def test_an_unfit_worker_excludes_its_node_and_is_no_failure_of_its_trial(callback, pair, capsys):
    refused = []
    callback.refuse_node = lambda *arguments: refused.append(arguments)
    trial = ray_trial(pair, 3)
    trial.run_metadata = SimpleNamespace(num_failures=3)
    callback.on_trial_result(1, [], trial, {"rows": [], "unfit": {"node": "n1", "reason": "torch 1.0, here 2.0"}})
    callback.on_trial_recover(1, [], trial)
    assert refused == [("n1", "torch 1.0, here 2.0")] and trial.run_metadata.num_failures == 2
    callback.on_trial_recover(2, [], trial)
    assert capsys.readouterr().out.count("its worker process died") == 1


def test_no_student_fails_while_ray_has_retries_left(callback, pair, trained, folder, capsys):
    """Ray counts the death of an idle worker twice, and drops a trial if its worker was held too long by another."""
    unfinished = trained(pair[0], [0.5], status=None)
    for failures in (0, MAX_RETRIES):
        callback.on_trial_error(1, [], ray_trial([unfinished], failures))
        callback.on_trial_error(1, [], ray_trial(pair, failures))
    assert statuses([unfinished], folder) == [None] and not capsys.readouterr().out


def test_the_label_of_a_pack_is_its_first_student_and_the_number_of_others(callback, pair, capsys):
    callback.on_trial_recover(1, [], ray_trial(pair))
    assert "seed 0 and 1 in its pack: its worker process died" in capsys.readouterr().out
