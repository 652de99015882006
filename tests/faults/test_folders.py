"""Two runs in one folder or with one teacher, moved folders, read-only data, a jumping clock."""

from __future__ import annotations

import shutil
import struct

import numpy as np
import pytest
from conftest import only_in_full
from test_driver import trained

from results import records
from trainables import data as datasets


@pytest.mark.slow
def test_of_two_runs_in_one_folder_one_is_refused(grid, tmp_path, start, slow_space, assert_same, tally):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    runs = [start(space, folder), start(space, folder)]
    codes = [run.wait() for run in runs]
    assert sorted(codes) == [0, 2]
    refused = runs[codes.index(2)].output()
    assert f"{folder}: in use by another run" in refused and "Traceback" not in refused
    assert_same(folder, grid)
    assert trained(folder) == trained(grid)
    tally("two runs in one folder", tries=2, repeated=0, note="one trains, one is refused")


@pytest.mark.slow
@only_in_full
def test_two_runs_train_a_shared_teacher_once(tmp_path, start, slow_space, assert_same, tally):
    teacher = {"model": {"name": "mlp", "hidden": [95]}, "train": {"epochs": 6, "batch_size": 8}}
    space = slow_space(tmp_path, teacher=teacher, seeds=[0])
    folders = [tmp_path / "one", tmp_path / "two"]
    runs = [start(space, folder) for folder in folders]
    assert [run.wait() for run in runs] == [0, 0], runs[0].output() + runs[1].output()
    teachers = [next(iter(records.read_teachers(folder).values())) for folder in folders]
    assert sorted(teacher["cached"] for teacher in teachers) == [False, True]
    assert_same(*folders)
    tally("two runs with the same teacher", tries=2, note="trained once")


@pytest.mark.slow
@only_in_full
def test_a_moved_folder_is_resumed(grid, tmp_path, start, slow_space, assert_same, tally):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: trained(folder) >= 6)
    run.kill()
    run.remaining_processes()
    moved = tmp_path / "another place" / "ünicode [1]"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    again = start(space, moved)
    assert again.wait() == 0, again.output()
    assert_same(moved, grid)
    repeated = trained(moved) - trained(grid)
    tally("the folder is moved and resumed", tries=1, repeated=repeated)


def idx_files(folder) -> None:
    """Write the digits as four idx files."""
    folder.mkdir(parents=True)
    digits = datasets.load_dataset("digits")
    for name, split in (("train", digits.train), ("t10k", digits.test)):
        images, labels = split.images[:, 0], split.labels.astype(np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x0803, *images.shape) + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x0801, len(labels)) + labels.tobytes())


@pytest.mark.slow
def test_a_read_only_data_root(tmp_path, start, write, tally, read_only):
    root = tmp_path / "data"
    idx_files(root / "mine")
    with read_only(root):
        with pytest.raises(OSError, match="Read-only"):
            (root / "x").touch()
        data = {"name": "idx", "folder": "mine", "validation": 200}
        run = start(write(tmp_path / "x.yaml", data=data, train={"epochs": 1}), tmp_path / "run", "--data", str(root))
        assert run.wait() == 0, run.output()
    tally("a read-only data root", tries=1)


# A plugin is executed in the driver and in every worker.
CLOCK = '''
"""A clock that jumps back by a day and forward again every few seconds."""
import time

if not hasattr(time, "true_time"):
    time.true_time = time.time
    time.time = lambda: time.true_time() - (86400 if time.true_time() % 5 < 2.5 else 0)
'''


@pytest.mark.slow
@only_in_full
@pytest.mark.parametrize("algorithm", ["grid", "tpe"])
def test_a_clock_that_jumps(algorithm, tmp_path, start, slow_space, assert_same, tally):
    plugin = tmp_path / "clock.py"
    plugin.write_text(CLOCK)
    method = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 2}
    search = {"algorithm": "tpe", "scheduler": "asha", "trials": 5}
    parts = {} if algorithm == "grid" else {"method": method, "search": search, "seeds": [0], "table": None}
    space, folder = slow_space(tmp_path, **parts), tmp_path / "run"
    run = start(space, folder, "--plugin", str(plugin))
    run.wait_until(lambda: trained(folder) >= 6)
    run.kill()
    run.remaining_processes()
    again = start(space, folder, "--plugin", str(plugin))
    assert again.wait() == 0, again.output()
    ends = [records.read_rows(folder, trial)[-1].get("status") for trial in records.trial_names(folder)]
    assert set(ends) <= {"finished", "stopped"} and len(ends) >= 6
    tally(f"a clock that jumps by a day: {algorithm}", tries=1, note=f"{len(ends)} students")
