"""Files of an experiment cut or altered: each is found, done again alone, and said."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from conftest import FULL
from test_driver import trained

from results import records


def flip(path: Path, random: Random) -> None:
    """Alter one byte in the second half of a file, where tensors lie."""
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content) // 2, len(content))] ^= random.randrange(1, 256)
    path.write_bytes(content)


def cut(path: Path, random: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: random.randrange(1, len(content) - 1)])


@pytest.mark.slow
def test_what_is_damaged_is_done_again_alone_and_said(grid, tmp_path, start, slow_space, same, rows, tally):
    """Six students: weights flipped, weights cut, rows flipped, rows cut; two are sound and must not be touched."""
    pieces = repeated = 0
    for number in range(3 if FULL else 1):
        random = Random(number)
        folder = shutil.copytree(grid, tmp_path / f"run{number}")
        names = random.sample(records.trials(folder), 6)
        damage = [
            (records.weights_file, flip),
            (records.weights_file, cut),
            (records.rows_file, flip),
            (records.rows_file, cut),
        ]
        paths = [place(folder, name) for name, (place, _) in zip(names, damage, strict=False)]
        for path, (_, spoil) in zip(paths, damage, strict=True):
            spoil(path, random)
        before = rows(folder)
        run = start(slow_space(tmp_path), folder)
        assert run.wait() == 0, run.said()
        said = run.said()
        # a file of rows cut between two lines has no damaged line, only fewer rows
        assert all(str(path) in said or path == paths[3] for path in paths)
        assert said.count("trained again") in (3, 4)
        same(folder, grid)
        assert all(rows(folder)[name] == before[name] for name in names[4:])
        repeated += trained(folder) - sum(sum(row["kind"] == "epoch" for row in each) for each in before.values())
        pieces += len(paths)
    tally(
        "weights and rows cut or flipped",
        tries=pieces,
        repeated=repeated,
        note="the epochs of the damaged students alone",
    )


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [flip, *[cut] * FULL])
def test_a_student_with_a_damaged_checkpoint_begins_again_and_it_is_said(
    spoil, grid, tmp_path, start, slow_space, same, tally
):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.until(lambda: len(checkpoints(folder)) == 2)  # both workers are in the middle of a student
    run.kill()
    run.alone(60)
    path, *others = checkpoints(folder)
    begun = max(row["epoch"] for row in records.rows(folder, path.parent.name) if row["kind"] == "epoch")
    spoil(path, Random(0))
    again = start(space, folder)
    assert again.wait() == 0, again.said()
    assert f"{path}: " in again.said() and "trained again from its first epoch" in again.said()
    assert not any(str(other) in again.said() for other in others)
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= begun + 2  # its epochs, and those that the kill may have cost
    tally(f"a checkpoint damaged ({spoil.__name__})", tries=1, repeated=repeated, note="that student's epochs alone")


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("trials/*/checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["answers.safetensors", *["weights.safetensors", "record.json"] * FULL])
def test_an_altered_teacher_is_taught_again_and_said(name, tmp_path, places, start, slow_space, tally):
    teacher = {"model": {"name": "mlp", "hidden": [70 + "war".index(name[0])]}, "train": {"epochs": 1}}
    space = slow_space(tmp_path, teacher=teacher, seeds=[0], train={"epochs": 1}, table=None)
    before = set(places.glob("teachers/*"))
    assert start(space, tmp_path / "first").wait() == 0
    (kept,) = set(places.glob("teachers/*")) - before
    flip(kept / name, Random(name))
    run = start(space, tmp_path / "second")
    assert run.wait() == 0, run.said()
    assert f"{kept}: damaged" in run.said() and "this teacher is taught again" in run.said()
    first, second = (next(iter(records.teachers(tmp_path / each).values())) for each in ("first", "second"))
    assert not second["cached"] and first["val_accuracy"] == second["val_accuracy"]
    tally(f"a teacher's {name} altered", tries=1)
