"""Cut or altered files of an experiment: each is detected, reported, and trained again."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from conftest import FULL
from test_driver import trained

from results import paths, records


def flip(path: Path, random: Random) -> None:
    """Alter one byte in the second half of a file, which holds the tensors."""
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content) // 2, len(content))] ^= random.randrange(1, 256)
    path.write_bytes(content)


def cut(path: Path, random: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: random.randrange(1, len(content) - 1)])


@pytest.mark.slow
def test_only_damaged_students_are_trained_again(grid, tmp_path, start, slow_space, assert_same, rows, tally):
    """Six students: weights flipped, weights cut, rows flipped, rows cut; two are undamaged and stay unchanged."""
    damaged = repeated = 0
    for number in range(3 if FULL else 1):
        random = Random(number)
        folder = shutil.copytree(grid, tmp_path / f"run{number}")
        names = random.sample(records.trial_names(folder), 6)
        damage = [
            (paths.weights_file, flip),
            (paths.weights_file, cut),
            (paths.rows_file, flip),
            (paths.rows_file, cut),
        ]
        files = [path_of(folder, name) for name, (path_of, _) in zip(names, damage, strict=False)]
        for path, (_, alter) in zip(files, damage, strict=True):
            alter(path, random)
        before = rows(folder)
        run = start(slow_space(tmp_path), folder)
        assert run.wait() == 0, run.output()
        output = run.output()
        # a file of rows cut between two lines has no damaged line, only fewer rows
        assert all(str(path) in output or path == files[3] for path in files)
        assert output.count("trained again") in (3, 4)
        assert_same(folder, grid)
        assert all(rows(folder)[name] == before[name] for name in names[4:])
        repeated += trained(folder) - sum(sum(row["kind"] == "epoch" for row in student) for student in before.values())
        damaged += len(files)
    tally(
        "weights and rows cut or flipped",
        tries=damaged,
        repeated=repeated,
        note="only the epochs of the damaged students",
    )


@pytest.mark.slow
@pytest.mark.parametrize("alter", [flip, *[cut] * FULL])
def test_a_student_with_a_damaged_checkpoint_starts_again(alter, grid, tmp_path, start, slow_space, assert_same, tally):
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: len(checkpoints(folder)) == 2)  # both workers are in the middle of a student
    run.kill()
    run.remaining_processes()
    path, *undamaged = checkpoints(folder)
    done = max(row["epoch"] for row in records.read_rows(folder, path.parent.name) if row["kind"] == "epoch")
    alter(path, Random(0))
    again = start(space, folder)
    assert again.wait() == 0, again.output()
    assert f"{path}: " in again.output() and "trained again from its first epoch" in again.output()
    assert not any(str(checkpoint) in again.output() for checkpoint in undamaged)
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= done + 2  # its epochs, and those lost by the kill
    tally(f"a checkpoint damaged ({alter.__name__})", tries=1, repeated=repeated, note="only that student's epochs")


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("trials/*/checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logits-train.npy", *["weights.safetensors"] * FULL])
def test_an_altered_teacher_is_trained_again(name, tmp_path, places, start, slow_space, tally):
    teacher = {"model": {"name": "mlp", "hidden": [70 + "lw".index(name[0])]}, "train": {"epochs": 1}}
    space = slow_space(tmp_path, teacher=teacher, seeds=[0], train={"epochs": 1}, table=None)
    before = set(places.glob("teachers/*"))
    assert start(space, tmp_path / "first").wait() == 0
    (teacher_folder,) = set(places.glob("teachers/*")) - before
    flip(teacher_folder / name, Random(name))
    run = start(space, tmp_path / "second")
    assert run.wait() == 0, run.output()
    assert f"{teacher_folder}: damaged" in run.output() and "this teacher is trained again" in run.output()
    first, second = (next(iter(records.read_teachers(tmp_path / name).values())) for name in ("first", "second"))
    assert not second["cached"] and first["val_accuracy"] == second["val_accuracy"]
    tally(f"a teacher's {name} altered", tries=1)
