"""What the driver writes and says of packs, whose students end each in its own way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.console import Console

from results.students import history
from search.students.spec import Pack, status, student
from search.trials.callback import RETRIES, Watch
from search.trials.console import Display


class Silent:
    """In place of TensorBoard and of the trackers."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    def epoch(self, *about) -> None:
        self.told.append(about)

    def end(self, *about) -> None:
        self.told.append(about)

    def tell(self, past) -> None:
        pass


@pytest.fixture
def watch(space, folder) -> Watch:
    display = Display(Console(width=200), "val_accuracy", "max")
    display.stage("explore", 6, 2)
    board = Silent()
    return Watch(space(), folder, display, board, Silent(), set())  # type: ignore[arg-type]


@pytest.fixture
def pair(space) -> list:
    values = {"method.alpha": 0, "method.temperature": 1}
    return [student(space(seeds=[0, 1]), "baseline", values, seed, 0) for seed in (0, 1)]


def ray_trial(students, failures: int = RETRIES + 1) -> SimpleNamespace:
    return SimpleNamespace(config={"pack": Pack(tuple(students))}, num_failures=failures)


def told(student, epoch: int) -> dict:
    return {"trial": student.key, "epoch": epoch, "val_accuracy": 0.5}


def test_who_is_stopped_in_a_pack_ends_at_once_and_the_other_goes_on(watch, pair, trained, folder):
    for each in pair:
        trained(each, [0.5], status=None)
    watch.stopped.add(pair[0].key)
    watch.on_trial_result(1, [], ray_trial(pair), {"rows": [told(each, 1) for each in pair]})
    assert [status(history(folder, each.key)) for each in pair] == ["stopped", None]
    watch.on_trial_result(2, [], ray_trial(pair), {"rows": [told(pair[1], 2)]})
    assert watch.display.counts == {"stopped": 1}


def test_a_report_may_say_something(watch, pair, capsys):
    watch.on_trial_result(1, [], ray_trial(pair), {"rows": [], "said": "no memory"})
    assert "seed 0 and 1 in its pack: no memory" in capsys.readouterr().out


def test_every_student_of_a_report_is_shown(watch, pair):
    rows = [told(each, 1) for each in pair]
    watch.on_trial_result(1, [], ray_trial(pair), {"rows": rows})
    assert [about[0] for about in watch.board.told] == [each.key for each in pair]
    watch.on_trial_result(2, [], ray_trial(pair), {"rows": [told(pair[1], 2)]})  # left alone of its pack
    assert [about[0] for about in watch.board.told] == [pair[0].key, pair[1].key, pair[1].key]


def test_who_takes_turns_is_over_with_the_last_epoch_and_once(watch, pair, trained):
    for each in pair:
        trained(each, [0.5] * 3)
        watch.on_trial_result(1, [], ray_trial(pair), {"rows": [told(each, 3)]})
    assert watch.display.counts == {"finished": 2} and not watch.display.running
    before, done = list(watch.board.told), watch.display.progress.tasks[0].completed
    watch.on_trial_result(1, [], ray_trial(pair), {"rows": [told(pair[0], 3)]})  # a retry
    watch.on_trial_complete(1, [], ray_trial(pair))
    assert watch.display.counts == {"finished": 2} and not watch.display.running
    assert watch.board.told == before and watch.display.progress.tasks[0].completed == done


def test_nobody_fails_for_another_of_its_pack(watch, pair, trained, folder, capsys):
    done, begun = trained(pair[0], [0.5] * 3), trained(pair[1], [0.5], status=None)
    watch.on_trial_error(1, [], ray_trial(pair))
    assert status(history(folder, done.key)) == "finished" and status(history(folder, begun.key)) is None
    assert "each will be trained alone" in capsys.readouterr().out
    watch.on_trial_error(1, [], ray_trial([begun]))
    past = history(folder, begun.key)
    assert past is not None and past.end["status"] == "failed" and f"{RETRIES + 1} times" in past.end["reason"]


def test_whose_worker_dies_before_it_begins_has_failed_all_the_same(watch, pair, folder):
    watch.on_trial_error(1, [], ray_trial(pair[:1]))
    past = history(folder, pair[0].key)
    assert past is not None and past.start["stage"] == "baseline" and past.end["status"] == "failed"


def test_who_has_not_begun_was_not_stopped(watch, pair, trained, folder):
    """A trial may end without some of its students; who has no end is trained again."""
    trained(pair[0], [0.5], status=None)
    watch.on_trial_complete(1, [], ray_trial(pair))
    assert [status(history(folder, each.key)) for each in pair] == ["stopped", None]
    assert history(folder, pair[1].key) is None and watch.display.counts == {"stopped": 1}


def test_where_ray_gives_up_early_nobody_has_failed_yet(watch, pair, trained, folder, capsys):
    """It counts the death of an idle worker twice, and gives up a trial whose worker another one held too long."""
    begun = trained(pair[0], [0.5], status=None)
    for failures in (0, RETRIES):
        watch.on_trial_error(1, [], ray_trial([begun], failures))
        watch.on_trial_error(1, [], ray_trial(pair, failures))
    assert status(history(folder, begun.key)) is None and not capsys.readouterr().out


def test_a_pack_is_named_by_its_first_and_how_many_follow(watch, pair, capsys):
    watch.on_trial_recover(1, [], ray_trial(pair))
    assert "seed 0 and 1 in its pack: its worker process died" in capsys.readouterr().out
