"""TensorBoard logs, read by TensorBoard itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from urllib.parse import quote

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from results import paths, rebuild, records
from results.experiment import load_experiment
from results.rebuild import rebuild_results
from results.students import History
from results.trackers.tensorboard import TensorBoardTracker, run_name

KNOBS = {"method.alpha": [0.5, 1], "train.optimizer": ["adam", "sgd"], "train.lr": None}
VALUES = {"method.alpha": 0.5, "train.optimizer": "adam"}
RUN, BASELINE = "alpha 0.5, optimizer adam, seed 0", "baseline, alpha 0, seed 0"
FINISHED = {"status": "finished", "test_accuracy": 0.75, "time": 1e9}


def epoch(number: int, accuracy: float = 0.9) -> dict:
    return {"epoch": number, "train_loss": 0.5, "val_loss": 0.4, "val_accuracy": accuracy, "lr": 0.001, "time": 1e9}


def student(epochs: list[dict], end: dict | None = None, trial: str = "a") -> History:
    start = {"trial": trial, "stage": "explore", "seed": 0, "teacher_seed": 0, "values": VALUES}
    return History(start, epochs, end or {})


def read(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def scalars(folder, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in read(folder).Scalars(tag)}


def test_scalars_have_plain_tags(tmp_path):
    tracker = TensorBoardTracker(tmp_path, KNOBS)
    epochs = [epoch(number, 0.8 + number / 100) for number in (1, 2)]
    tracker.update(student(epochs[:1]))
    tracker.update(student(epochs, FINISHED))
    tracker.close([student(epochs, FINISHED)], done=True)  # is written already
    events = read(tmp_path / "tensorboard" / RUN)
    assert set(events.Tags()["scalars"]) == {"loss/train", "loss/val", "accuracy/val", "lr", "accuracy/test"}
    assert scalars(tmp_path / "tensorboard" / RUN, "accuracy/val") == pytest.approx({1: 0.81, 2: 0.82})
    assert [event.step for event in events.Scalars("accuracy/test")] == [2]
    assert scalars(tmp_path / "tensorboard" / RUN, "accuracy/test") == pytest.approx({2: 0.75})


def test_names_of_runs_are_those_of_the_students():
    start = student([]).start
    assert run_name(start, list(KNOBS)) == RUN
    assert run_name({**start, "stage": "baseline", "values": {}}, ["method.alpha"]) == BASELINE
    assert run_name({**start, "teacher_seed": 2}, list(KNOBS)) == f"{RUN}, teacher seed 2"
    odd = {**start, "trial": "1234567890", "values": {"method.alpha": 0.123456, "student.path": "a/b"}}
    assert run_name(odd, ["method.alpha", "student.path"]) == "alpha 0.1235, path a_b, seed 0 34567890"


def test_of_many_students_the_best_have_a_folder_of_their_own(empty):
    build = empty()
    for index in range(rebuild.MAX_SELECTED + 1):
        build.student("explore", {"method.alpha": index / 64, "method.temperature": 1}, 0)
    build.student("baseline", {}, 0)
    rebuild._write_tensorboard(load_experiment(build.done()))
    names = {path.name for path in paths.best_tensorboard_folder(build.folder).iterdir() if path.is_dir()}
    assert len(names) == rebuild.MAX_BEST + 1 and BASELINE in names and "alpha 0.5, temperature 1, seed 0" in names


def test_epochs_can_be_read_during_training(tmp_path):
    tracker = TensorBoardTracker(tmp_path, KNOBS)
    tracker.update(student([epoch(1)]))
    assert scalars(tmp_path / "tensorboard" / RUN, "accuracy/val") == pytest.approx({1: 0.9})
    tracker.close([], done=True)


def test_a_resumed_student_replaces_the_epochs_it_repeats(tmp_path):
    first = [epoch(number, 0.1) for number in range(1, 5)]
    second = [*first[:2], *(epoch(number, 0.3) for number in range(3, 6))]
    for earlier, epochs in (([], first), (first, second)):
        if earlier:
            time.sleep(1.1)  # TensorBoard sorts the files of a run by name, which has whole seconds
        tracker = TensorBoardTracker(tmp_path, KNOBS, [student(earlier)])
        tracker.update(student(epochs))
        tracker.close([], done=True)
    expected = {1: 0.1, 2: 0.1, 3: 0.3, 4: 0.3, 5: 0.3}
    assert scalars(tmp_path / "tensorboard" / RUN, "accuracy/val") == pytest.approx(expected)


def test_a_student_that_ended_in_an_earlier_run_is_not_written_again(tmp_path):
    ended = student([epoch(1)], FINISHED)
    tracker = TensorBoardTracker(tmp_path, KNOBS, [ended])
    tracker.close([ended], done=True)
    assert not (tmp_path / "tensorboard" / RUN).exists()


def test_ended_students_hold_no_threads(tmp_path):
    before = set(threading.enumerate())  # one of an earlier test may end during this one
    tracker = TensorBoardTracker(tmp_path, KNOBS)
    for number in range(50):
        tracker.update(student([epoch(1)], {"status": "stopped", "test_accuracy": None}, trial=f"s{number}"))
    assert len(set(threading.enumerate()) - before) == 1
    tracker.close([], done=True)
    assert set(threading.enumerate()) <= before


def test_a_student_without_epochs_has_no_session(tmp_path):
    tracker = TensorBoardTracker(tmp_path, KNOBS)
    tracker.update(student([], {"status": "failed", "reason": "no memory"}))
    tracker.close([], done=True)
    assert not (tmp_path / "tensorboard" / RUN).exists()


def test_rebuilding_replaces_only_its_own_files(full, tmp_path, monkeypatch):
    folder = shutil.copytree(full, tmp_path / "run")
    monkeypatch.setattr(rebuild, "draw_learning_curves", lambda *_: b"")  # the logs do not depend on the other files
    monkeypatch.setattr(rebuild, "report_page", lambda *_: "")
    rebuild_results(folder)
    mine = {path for path in paths.tensorboard_folder(folder).rglob("*") if path.is_file()}
    other = paths.tensorboard_folder(folder) / "events.out.tfevents.1.other.1.0"
    other.write_bytes(b"")
    rebuild_results(folder)
    assert mine <= {path for path in paths.tensorboard_folder(folder).rglob("*") if path.is_file()}  # same rows
    records.append_row(
        folder, "baseline-0000", {"kind": "end", "status": "finished", "test_accuracy": 0.5, "time": 1.8e9}
    )
    rebuild_results(folder)
    now = {path for path in paths.tensorboard_folder(folder).rglob("*") if path.is_file()}
    assert other in now and len(now) == len(mine) + 1
    assert [path.name for path in now & mine] == ["rows.sha256"]


@pytest.fixture
def server(broken):
    """Address of a TensorBoard with a diverged, a failed and a stopped student."""
    rebuild_results(broken)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(paths.tensorboard_folder(broken))]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0", "--reload_interval", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        yield next(match[0] for line in lines if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
    finally:
        process.terminate()
        process.communicate()


def fetch(url: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=300) as response:
        return json.load(response)


def eventually(get, enough):
    """Return the response once TensorBoard has read everything, after at most five minutes."""
    end = time.monotonic() + 300
    while not enough(response := get()) and time.monotonic() < end:
        time.sleep(0.25)
    return response


def test_the_real_tensorboard_shows_students_knobs_and_heat_map(server):
    tags = eventually(lambda: fetch(f"{server}/data/plugin/scalars/tags"), lambda response: len(response) == 23)
    assert len(tags) == 23  # 21 finished, 1 diverged, 1 stopped; the failed one has no epoch
    final = ("loss/test", "accuracy/test", "agreement/test")
    assert set(tags[BASELINE]) == {"loss/train", "loss/val", "accuracy/val", "lr", *final}
    images = fetch(f"{server}/data/plugin/images/tags")
    assert images["."]["heatmap"]["samples"] == 1
    experiment = fetch(f"{server}/data/plugin/hparams/experiment", {"experimentName": ""})
    columns = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert columns == {
        **{"method.alpha": "DATA_TYPE_FLOAT64", "method.temperature": "DATA_TYPE_FLOAT64"},
        **{"stage": "DATA_TYPE_STRING", "seed": "DATA_TYPE_FLOAT64", "teacher_seed": "DATA_TYPE_FLOAT64"},
    }
    query = {
        "colParams": [{"metric": {"tag": "accuracy/val"}}, {"hparam": "method.alpha"}],
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "sliceSize": 100,
    }
    groups = fetch(f"{server}/data/plugin/hparams/session_groups", query)["sessionGroups"]
    assert sorted(group["name"] for group in groups) == sorted(tags)
    assert all(len(group["sessions"]) == 1 for group in groups)
    baseline = next(group for group in groups if group["name"] == BASELINE)
    assert (baseline["hparams"]["method.alpha"], baseline["hparams"]["stage"]) == (0, "baseline")
    assert 0.9 < baseline["metricValues"][0]["value"] < 1
    statuses = [group["sessions"][0]["status"] for group in groups]
    assert statuses.count("STATUS_FAILURE") == 1 and statuses.count("STATUS_SUCCESS") == 22


def test_rebuilding_under_a_running_tensorboard_doubles_nothing(server, broken):
    address = f"{server}/data/plugin/scalars/scalars?run={quote(BASELINE)}&tag=accuracy/val"
    eventually(lambda: fetch(f"{server}/data/plugin/scalars/tags"), lambda response: len(response) == 23)
    before = fetch(address)
    records.append_row(
        broken, "baseline-0000", {"kind": "epoch", "epoch": 5, "val_accuracy": 0.5, "val_loss": 0.1, "time": 1.8e9}
    )
    records.append_row(
        broken, "baseline-0000", {"kind": "end", "status": "finished", "test_accuracy": 0.5, "time": 1.8e9}
    )
    rebuild._write_tensorboard(load_experiment(broken))
    after = eventually(lambda: fetch(address), lambda response: len(response) > 4)
    assert after[:4] == before
    assert after[4:] == [[1.8e9, 5, 0.5]]
