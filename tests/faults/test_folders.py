"""Two runs in one folder, two that want one teacher, folders that move, data that cannot be written, odd clocks."""

from __future__ import annotations

import shutil
import struct
import subprocess

import numpy as np
import pytest
from conftest import only_in_full
from test_driver import trained

from results import records
from trainables import data as datasets


@pytest.mark.slow
def test_of_two_runs_in_one_folder_one_is_refused(grid, tmp_path, start, slow_space, same, tally):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    runs = [start(space, folder), start(space, folder)]
    codes = [run.wait() for run in runs]
    assert sorted(codes) == [0, 2]
    refused = runs[codes.index(2)].said()
    assert f"{folder}: another run is at work there" in refused and "Traceback" not in refused
    same(folder, grid)
    assert trained(folder) == trained(grid)
    tally("two runs in one folder", tries=2, repeated=0, note="one trains, one is refused")


@pytest.mark.slow
def test_a_teacher_that_two_runs_want_is_taught_once(tmp_path, start, slow_space, same, tally):
    teacher = {"model": {"name": "mlp", "hidden": [95]}, "train": {"epochs": 6, "batch_size": 8}}
    space = slow_space(tmp_path, teacher=teacher, seeds=[0])
    folders = [tmp_path / "one", tmp_path / "two"]
    runs = [start(space, folder) for folder in folders]
    assert [run.wait() for run in runs] == [0, 0], runs[0].said() + runs[1].said()
    taught = [next(iter(records.teachers(folder).values())) for folder in folders]
    assert sorted(each["cached"] for each in taught) == [False, True]
    same(*folders)
    tally("two runs that want the same teacher", tries=2, note="taught once")


@pytest.mark.slow
@only_in_full
def test_a_folder_that_moved_goes_on_elsewhere(grid, tmp_path, start, slow_space, same, tally):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.until(lambda: trained(folder) >= 6)
    run.kill()
    run.alone()
    moved = tmp_path / "another place" / "ünicode [1]"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    again = start(space, moved)
    assert again.wait() == 0, again.said()
    same(moved, grid)
    repeated = trained(moved) - trained(grid)
    tally("the folder is moved and resumed", tries=1, repeated=repeated)


def idx_files(folder) -> None:
    """The digits as four idx files."""
    folder.mkdir(parents=True)
    whole = datasets.load("digits")
    for name, split in (("train", whole.train), ("t10k", whole.test)):
        images, labels = split.images[:, 0], split.labels.astype(np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x0803, *images.shape) + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x0801, len(labels)) + labels.tobytes())


@pytest.mark.slow
def test_a_data_root_that_cannot_be_written(tmp_path, start, write, tally):
    root = tmp_path / "data"
    idx_files(root / "mine")
    made = subprocess.run(["mount", "--bind", "-o", "ro", root, root], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        with pytest.raises(OSError, match="Read-only"):
            (root / "x").touch()
        data = {"name": "idx", "folder": "mine", "validation": 200}
        run = start(write(tmp_path / "x.yaml", data=data, train={"epochs": 1}), tmp_path / "run", "--data", str(root))
        assert run.wait() == 0, run.said()
    finally:
        subprocess.run(["umount", "-l", root], check=True)
    tally("a data root that cannot be written", tries=1)


# As a plugin it is read by the driver and by every worker.
CLOCK = '''
"""A clock that jumps back by a day and forth again every few seconds."""
import time

if not hasattr(time, "true_time"):
    time.true_time = time.time
    time.time = lambda: time.true_time() - (86400 if time.true_time() % 5 < 2.5 else 0)
'''


@pytest.mark.slow
@only_in_full
@pytest.mark.parametrize("algorithm", ["grid", "tpe"])
def test_a_clock_that_jumps(algorithm, tmp_path, start, slow_space, same, tally):
    plugin = tmp_path / "clock.py"
    plugin.write_text(CLOCK)
    method = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 2}
    search = {"algorithm": "tpe", "scheduler": "asha", "trials": 5}
    parts = {} if algorithm == "grid" else {"method": method, "search": search, "seeds": [0], "table": None}
    space, folder = slow_space(tmp_path, **parts), tmp_path / "run"
    run = start(space, folder, "--plugin", str(plugin))
    run.until(lambda: trained(folder) >= 6)
    run.kill()
    run.alone()
    again = start(space, folder, "--plugin", str(plugin))
    assert again.wait() == 0, again.said()
    ends = [records.rows(folder, trial)[-1].get("status") for trial in records.trials(folder)]
    assert set(ends) <= {"finished", "stopped"} and len(ends) >= 6
    tally(f"a clock that jumps by a day: {algorithm}", tries=1, note=f"{len(ends)} students")
