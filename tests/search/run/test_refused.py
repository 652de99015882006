"""Commands that end before Ray starts: mistakes, checks, and folders in use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from results import paths, records
from search.students.spec import student_spec
from spaces.errors import UserError
from spaces.space import load_space

ROOT = Path(__file__).parents[3]


@pytest.fixture
def old_experiment(write, tmp_path) -> Path:
    """Folder of an experiment with the tiny space: its space and environment.json."""
    folder = tmp_path / "run"
    space = load_space(write(tmp_path / "x.yaml")).with_precision("float32")
    records.write_file(paths.space_file(folder), space.dump())
    records.save_environment(folder, {"plugins": {}, "auto_precision": "float32"})
    return folder


def test_a_broken_file_is_one_line_exit_code_2_and_no_traceback(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("method: {alpha: [0, 1\ntrain: 3\n")
    command = [sys.executable, "-m", "search.run", str(path), "--out", str(tmp_path / "run")]
    process = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=540)
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"{path}:")
    assert not (tmp_path / "run").exists()


def test_a_check_prints_the_plan_and_writes_nothing(command, write, tmp_path):
    code, output, error = command(write(tmp_path / "x.yaml"), "--out", tmp_path / "run", "--check")
    assert (code, error) == (0, "")
    assert "students  3: 2 explore (searched), 1 baseline (labels only)\n  epochs    9\n" in output
    assert "teachers  1\n" in output
    assert "estimate" in output and "MB" in output
    assert (
        "  loss      hinton: alpha · T²" in output
        and "changes the trained weights: method.alpha, method.temp" in output
    )
    assert all(f"\n  {stage} " in output for stage in ("teachers", "explore", "baseline"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.yaml"]


def test_a_check_without_data_succeeds_with_a_note(command, write, tmp_path):
    code, output, _ = command(write(tmp_path / "x.yaml", data={"name": "mnist"}), "--check")
    assert code == 0 and "a valid space, but" in output


def test_a_run_without_data_fails(command, write, tmp_path):
    code, _, error = command(write(tmp_path / "x.yaml", data={"name": "mnist"}), "--out", tmp_path / "run")
    assert code == 2 and "--download" in error and not (tmp_path / "run").exists()


def starts_from(weights: str, network: str) -> dict[str, Any]:
    """Return parts of a space in which one network starts from weights."""
    started = {"model": {"name": "squeezenet", "resize": 32, "weights": weights}, "train": {"epochs": 1}}
    assistant = {"model": {"name": "mlp", "hidden": [8]}, "method": {"name": "hinton", "alpha": 1, "temperature": 4}}
    return {
        "student": {"student": {"model": started["model"]}},
        "teacher": {"teacher": started},
        "teacher.teacher": {"teacher": assistant | {"teacher": started}},
    }[network]


NETWORKS = pytest.mark.parametrize("network", ["student", "teacher", "teacher.teacher"])


@NETWORKS
@pytest.mark.parametrize("root", [(), ("--data", ".")])
def test_without_published_weights_a_check_succeeds_and_a_run_fails(
    command, write, tmp_path, monkeypatch, network, root
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    space = write(tmp_path / "x.yaml", **starts_from("imagenet", network))
    path = str(tmp_path / "torch" / "hub" / "checkpoints" / "squeezenet1_0-")
    code, output, _ = command(space, "--check", *root)
    assert code == 0 and f"{space}: a valid space, but model.weights: imagenet: {path}" in output
    assert "no such file; fetch it (5 MB) by --download, or from https://" in output
    code, _, error = command(space, "--out", tmp_path / "run", *root)
    assert code == 2 and error.startswith(f"model.weights: imagenet: {path}")
    assert len(error.splitlines()) == 1 and "--download" in error
    assert not (tmp_path / "run").exists()


@NETWORKS
@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_missing_weights_file_is_named_with_its_line(command, write, tmp_path, network, flags):
    space = write(tmp_path / "x.yaml", **starts_from("nowhere/w.pth", network))
    code, _, error = command(space, "--out", tmp_path / "run", *flags)
    assert code == 2 and len(error.splitlines()) == 1
    assert error.startswith(f"{space}:") and f" {network}.model.weights: nowhere/w.pth: no such file" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_missing_teacher_file_is_named_with_its_line(command, write, tmp_path, flags):
    teacher = {"model": {"name": "mlp", "hidden": [16]}, "weights": "nowhere/t.safetensors"}
    space = write(tmp_path / "x.yaml", teacher=teacher)
    code, _, error = command(space, "--out", tmp_path / "run", *flags)
    assert code == 2 and len(error.splitlines()) == 1
    assert error.startswith(f"{space}:") and " teacher.weights: nowhere/t.safetensors: no such file" in error


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_changed_space_is_refused_and_the_change_is_named(command, write, tmp_path, old_experiment, flags):
    space = write(tmp_path / "y.yaml", name="x", train={"epochs": 3, "batch_size": 64, "lr": 0.5})
    code, _, error = command(space, "--out", old_experiment, *flags)
    assert code == 2
    assert "was run with other values of train.lr;" in error and len(error.splitlines()) == 1


def test_a_check_of_a_fresh_start_ignores_the_old_folder(command, write, tmp_path, old_experiment):
    space = write(tmp_path / "y.yaml", name="x", train={"epochs": 3, "batch_size": 64, "lr": 0.5})
    assert command(space, "--out", old_experiment, "--check", "--fresh")[0] == 0
    assert paths.space_file(old_experiment).is_file()


def test_a_fresh_start_keeps_the_old_folder(command, write, tmp_path, old_experiment):
    with pytest.raises(TypeError):  # Ray would start now
        command(write(tmp_path / "y.yaml", name="x", train={"epochs": 1}), "--out", old_experiment, "--fresh")
    (old,) = (path for path in tmp_path.iterdir() if path.name.startswith("run."))
    assert "batch_size: 64" in paths.space_file(old).read_text()
    assert "batch_size: 64" not in paths.space_file(old_experiment).read_text()


@pytest.mark.parametrize("flags", [(), ("--fresh",)])
def test_two_runs_do_not_share_a_folder(command, write, tmp_path, old_experiment, flags):
    with FileLock(old_experiment / ".lock"):
        code, _, error = command(write(tmp_path / "x.yaml"), "--out", old_experiment, *flags)
    assert code == 2
    assert f"{old_experiment}: in use by another run" in error
    assert paths.space_file(old_experiment).is_file()


def test_a_file_in_place_of_the_folder_is_refused(command, write, tmp_path):
    (tmp_path / "taken").touch()
    code, _, error = command(write(tmp_path / "x.yaml"), "--out", tmp_path / "taken")
    assert code == 2 and "taken: a file; expected a folder" in error


@pytest.mark.parametrize(("out", "reason"), [("x.yaml/run", "x.yaml is a file"), ("x" * 300, "File name too long")])
def test_a_folder_that_cannot_be_made_is_one_line(command, write, tmp_path, out, reason):
    code, _, error = command(write(tmp_path / "x.yaml"), "--out", tmp_path / out)
    assert code == 2 and len(error.splitlines()) == 1
    assert error.startswith(f"--out {tmp_path / out}: ") and f"{reason}; choose another folder" in error


@pytest.mark.parametrize("place", ["/proc", "/sys"])
def test_a_folder_that_even_root_cannot_make_is_refused_before_the_plan(command, write, tmp_path, place):
    if not Path(place).is_dir():
        pytest.skip(f"there is no {place}")
    code, output, error = command(write(tmp_path / "x.yaml"), "--out", f"{place}/x")
    assert (code, output) == (2, "")
    assert error == f"--out {place}/x: {place} cannot be written; choose another folder\n"


def test_a_read_only_parent_is_one_line_and_allows_a_check(command, write, tmp_path, read_only):
    space = write(tmp_path / "x.yaml")
    with read_only(tmp_path):
        assert command(space, "--out", tmp_path / "run", "--check")[0] == 0
        code, _, error = command(space, "--out", tmp_path / "run")
    assert (code, error) == (2, f"--out {tmp_path}/run: {tmp_path} cannot be written; choose another folder\n")


def test_a_missing_or_broken_plugin_is_named(command, write, tmp_path):
    space = write(tmp_path / "x.yaml")
    assert command(space, "--plugin", tmp_path / "none.py")[::2] == (2, f"--plugin {tmp_path}/none.py: no such file\n")
    (tmp_path / "bad.py").write_text("\nx = missing\n")
    code, _, error = command(space, "--plugin", tmp_path / "bad.py")
    assert code == 2 and error.startswith("bad.py:2: NameError: ")


def test_an_experiment_keeps_its_first_precision(command, write, tmp_path, monkeypatch):
    """The student uses float32, its teacher the fastest precision, which differs on another machine."""
    space = write(tmp_path / "x.yaml", train={"epochs": 3, "precision": "float32"})
    monkeypatch.setattr("search.session.fastest_precision", lambda _: "bfloat16")
    with pytest.raises(TypeError):  # Ray would start now
        command(space, "--out", tmp_path / "run")
    assert "precision: bfloat16" in paths.space_file(tmp_path / "run").read_text()
    for fastest in ("bfloat16", "float32"):
        monkeypatch.setattr("search.session.fastest_precision", lambda _, fastest=fastest: fastest)
        code, _, error = command(space, "--out", tmp_path / "run", "--check")
        assert (code, error) == (0, "")


def test_the_gpus_of_the_present_machine_are_used(command, write, tmp_path, monkeypatch):
    space = write(tmp_path / "x.yaml")
    for gpus in (1, 0):
        monkeypatch.setattr("torch.cuda.device_count", lambda gpus=gpus: gpus)
        with pytest.raises(TypeError):  # Ray would start now
            command(space, "--out", tmp_path / "run")
        assert load_space(paths.space_file(tmp_path / "run")).resources.gpus == gpus


def test_if_ray_does_not_start_the_old_students_get_their_tables(
    command, write, space, tmp_path, old_experiment, trained, monkeypatch
):
    def fails(*_):
        raise UserError("Ray does not start: no memory")

    student = trained(student_spec(space(), "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0), [0.5] * 3)
    monkeypatch.setattr("search.driver.connected_to_ray", fails)
    code, _, error = command(write(tmp_path / "x.yaml"), "--out", old_experiment)
    assert code == 2 and "Ray does not start: no memory" in error
    assert student.key in paths.students_file(old_experiment).read_text()
