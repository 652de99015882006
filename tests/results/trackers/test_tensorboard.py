"""What the real TensorBoard reads from what is written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from results import records
from results.rebuild import rebuild
from results.trackers.tensorboard import Board

STUDENT = {"stage": "explore", "seed": 0, "teacher_seed": 0, "values": {"method.alpha": 0.5, "train.optimizer": "adam"}}
KNOBS = {"method.alpha": [0.5, 1], "train.optimizer": ["adam", "sgd"], "train.lr": None}


def epoch(number: int, accuracy: float = 0.9) -> dict:
    return {"epoch": number, "train_loss": 0.5, "val_loss": 0.4, "val_accuracy": accuracy, "lr": 0.001, "time": 1e9}


def read(folder) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def scalars(folder, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in read(folder).Scalars(tag)}


def test_scalars_have_plain_tags(tmp_path):
    board = Board(tmp_path, KNOBS)
    for number in (1, 2):
        board.epoch("a", STUDENT, epoch(number, 0.8 + number / 100))
    board.end("a", "finished", {"test_accuracy": 0.75, "time": 1e9})
    board.close()
    found = read(tmp_path / "tensorboard" / "a")
    assert set(found.Tags()["scalars"]) == {"loss/train", "loss/val", "accuracy/val", "lr", "accuracy/test"}
    assert scalars(tmp_path / "tensorboard" / "a", "accuracy/val") == pytest.approx({1: 0.81, 2: 0.82})
    assert scalars(tmp_path / "tensorboard" / "a", "accuracy/test") == pytest.approx({2: 0.75})


def test_epochs_can_be_read_while_the_student_is_trained(tmp_path):
    board = Board(tmp_path, KNOBS)
    board.epoch("a", STUDENT, epoch(1))
    assert scalars(tmp_path / "tensorboard" / "a", "accuracy/val") == pytest.approx({1: 0.9})
    board.close()


def test_a_resumed_student_replaces_the_epochs_it_repeats(tmp_path):
    for first, last in ((1, 4), (3, 5)):
        board = Board(tmp_path, KNOBS)
        for number in range(first, last + 1):
            board.epoch("a", STUDENT, epoch(number, first / 10))
        board.close()
        time.sleep(1.1)  # the files of one run are read in the order of their names, which hold whole seconds
    expected = {1: 0.1, 2: 0.1, 3: 0.3, 4: 0.3, 5: 0.3}
    assert scalars(tmp_path / "tensorboard" / "a", "accuracy/val") == pytest.approx(expected)


def test_ended_students_hold_no_threads(tmp_path):
    before = threading.active_count()
    board = Board(tmp_path, KNOBS)
    for number in range(50):
        board.epoch(f"s{number}", STUDENT, epoch(1))
        board.end(f"s{number}", "stopped", {"test_accuracy": None})
    assert threading.active_count() == before + 1
    board.close()
    assert threading.active_count() == before


def test_a_student_that_failed_at_once_has_no_session(tmp_path):
    board = Board(tmp_path, KNOBS)
    board.end("a", "failed", {"reason": "no memory"})
    board.close()
    assert not (tmp_path / "tensorboard" / "a").exists()


def test_rebuilding_replaces_only_its_own_files(full, tmp_path):
    folder = shutil.copytree(full, tmp_path / "run")
    rebuild(folder)
    mine = {path for path in records.tensorboard_folder(folder).rglob("*") if path.is_file()}
    other = records.tensorboard_folder(folder) / "events.out.tfevents.1.somebody.1.0"
    other.write_bytes(b"")
    rebuild(folder)
    now = {path for path in records.tensorboard_folder(folder).rglob("*") if path.is_file()}
    assert other in now and len(now) == len(mine) + 1
    assert len(now & mine) == 0


@pytest.fixture
def server(broken):
    """The real TensorBoard on an experiment with a diverged, a failed and a stopped student: its address."""
    rebuild(broken)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(records.tensorboard_folder(broken))]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0", "--reload_interval", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
    finally:
        process.terminate()
        process.communicate(timeout=20)


def fetch(url: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        return json.load(answer)


def eventually(get, enough):
    """The answer once TensorBoard has read everything, for at most 30 seconds."""
    end = time.monotonic() + 30
    while not enough(answer := get()) and time.monotonic() < end:
        time.sleep(0.25)
    return answer


def test_the_real_tensorboard_shows_students_knobs_and_heat_map(server):
    tags = eventually(lambda: fetch(f"{server}/data/plugin/scalars/tags"), lambda answer: len(answer) == 23)
    assert len(tags) == 23  # 21 finished, 1 diverged, 1 stopped; the failed one has no epoch
    assert set(tags["baseline-0000"]) == {"loss/train", "loss/val", "accuracy/val", "lr", "accuracy/test"}
    images = fetch(f"{server}/data/plugin/images/tags")
    assert images["."]["heatmap"]["samples"] == 1
    whole = fetch(f"{server}/data/plugin/hparams/experiment", {"experimentName": ""})
    columns = {info["name"]: info["type"] for info in whole["hparamInfos"]}
    assert columns == {
        **{"method.alpha": "DATA_TYPE_FLOAT64", "method.temperature": "DATA_TYPE_FLOAT64"},
        **{"stage": "DATA_TYPE_STRING", "seed": "DATA_TYPE_FLOAT64", "teacher_seed": "DATA_TYPE_FLOAT64"},
    }
    wanted = {
        "colParams": [{"metric": {"tag": "accuracy/val"}}, {"hparam": "method.alpha"}],
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "sliceSize": 100,
    }
    groups = fetch(f"{server}/data/plugin/hparams/session_groups", wanted)["sessionGroups"]
    assert sorted(group["name"] for group in groups) == sorted(tags)
    assert all(len(group["sessions"]) == 1 for group in groups)
    baseline = next(group for group in groups if group["name"] == "baseline-0000")
    assert (baseline["hparams"]["method.alpha"], baseline["hparams"]["stage"]) == (0, "baseline")
    assert 0.9 < baseline["metricValues"][0]["value"] < 1
    statuses = [group["sessions"][0]["status"] for group in groups]
    assert statuses.count("STATUS_FAILURE") == 1 and statuses.count("STATUS_SUCCESS") == 22


def test_rebuilding_under_a_running_tensorboard_doubles_nothing(server, broken):
    address = f"{server}/data/plugin/scalars/scalars?run=baseline-0000&tag=accuracy/val"
    eventually(lambda: fetch(f"{server}/data/plugin/scalars/tags"), lambda answer: len(answer) == 23)
    before = fetch(address)
    records.append(
        broken, "baseline-0000", {"kind": "epoch", "epoch": 5, "val_accuracy": 0.5, "val_loss": 0.1, "time": 1.8e9}
    )
    records.append(broken, "baseline-0000", {"kind": "end", "status": "finished", "test_accuracy": 0.5, "time": 1.8e9})
    rebuild(broken)
    after = eventually(lambda: fetch(address), lambda answer: len(answer) > 4)
    assert after[:4] == before
    assert after[4:] == [[1.8e9, 5, 0.5]]
