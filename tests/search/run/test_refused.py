"""What ends at once: mistakes, checks, and folders in use; no Ray is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from results import records
from search.run import main
from search.students.spec import student
from spaces.errors import UserError
from spaces.space import load

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def command(capsys, monkeypatch):
    """The command line in this process: exit code, what it said, and what it complained of."""
    monkeypatch.setattr("search.session.cluster.connected", None)  # whoever gets that far fails

    def called(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    handler = signal.getsignal(signal.SIGTERM)
    yield called
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ran(write, tmp_path) -> Path:
    """The folder of an experiment with the tiny space, as far as it says what was run."""
    folder = tmp_path / "run"
    space = load(write(tmp_path / "x.yaml")).resolved("float32")
    records.replace(records.space_file(folder), space.dump())
    records.save_environment(folder, {"plugins": {}, "auto_precision": "float32"})
    return folder


def test_a_broken_file_is_one_line_exit_code_2_and_no_traceback(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("method: {alpha: [0, 1\ntrain: 3\n")
    command = [sys.executable, "-m", "search.run", str(path), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{path}:")
    assert not (tmp_path / "run").exists()


def test_a_check_prints_the_plan_and_makes_nothing(command, write, tmp_path):
    code, said, complained = command(write(tmp_path / "x.yaml"), "--out", tmp_path / "run", "--check")
    assert (code, complained) == (0, "")
    assert "students  3 (2 explore, 1 baseline), 9 epochs" in said and "teachers  1" in said
    assert "estimate" in said and "MB" in said
    assert "  loss      hinton: alpha · T²" in said and "changes what is learnt: method.alpha, method.temp" in said
    assert all(f"\n  {stage} " in said for stage in ("teachers", "explore", "baseline"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.yaml"]


def test_a_check_without_the_data_says_so_and_is_content(command, write, tmp_path):
    code, said, _ = command(write(tmp_path / "x.yaml", data={"name": "mnist"}), "--check")
    assert code == 0 and "a valid space, but" in said


def test_without_the_data_there_is_nothing_to_run(command, write, tmp_path):
    code, _, complained = command(write(tmp_path / "x.yaml", data={"name": "mnist"}), "--out", tmp_path / "run")
    assert code == 2 and "--download" in complained and not (tmp_path / "run").exists()


def starts_from(weights: str, who: str) -> dict[str, Any]:
    """A space in which the student, its teacher or its teacher's teacher starts from weights."""
    started = {"model": {"name": "squeezenet", "resize": 32, "weights": weights}, "train": {"epochs": 1}}
    assistant = {"model": {"name": "mlp", "hidden": [8]}, "method": {"name": "hinton", "alpha": 1, "temperature": 4}}
    return {
        "student": {"student": {"model": started["model"]}},
        "teacher": {"teacher": started},
        "teacher.teacher": {"teacher": assistant | {"teacher": started}},
    }[who]


WHO = pytest.mark.parametrize("who", ["student", "teacher", "teacher.teacher"])


@WHO
@pytest.mark.parametrize("root", [(), ("--data", ".")])
def test_without_published_weights_a_check_is_content_and_there_is_nothing_to_run(
    command, write, tmp_path, monkeypatch, who, root
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    space = write(tmp_path / "x.yaml", **starts_from("imagenet", who))
    place = str(tmp_path / "torch" / "hub" / "checkpoints" / "squeezenet1_0-")
    code, said, _ = command(space, "--check", *root)
    assert code == 0 and f"{space}: a valid space, but model.weights: imagenet: {place}" in said
    assert "no such file; fetch it (5 MB) by --download, or from https://" in said
    code, _, complained = command(space, "--out", tmp_path / "run", *root)
    assert code == 2 and complained.startswith(f"model.weights: imagenet: {place}")
    assert len(complained.splitlines()) == 1 and "--download" in complained
    assert not (tmp_path / "run").exists()


@WHO
@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_file_of_weights_that_is_not_there_is_named_with_its_line(command, write, tmp_path, who, flags):
    space = write(tmp_path / "x.yaml", **starts_from("nowhere/w.pth", who))
    code, _, complained = command(space, "--out", tmp_path / "run", *flags)
    assert code == 2 and len(complained.splitlines()) == 1
    assert complained.startswith(f"{space}:") and f" {who}.model.weights: nowhere/w.pth: no such file" in complained
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_teacher_that_is_not_there_is_named_with_its_line(command, write, tmp_path, flags):
    teacher = {"model": {"name": "mlp", "hidden": [16]}, "weights": "nowhere/t.safetensors"}
    space = write(tmp_path / "x.yaml", teacher=teacher)
    code, _, complained = command(space, "--out", tmp_path / "run", *flags)
    assert code == 2 and len(complained.splitlines()) == 1
    assert complained.startswith(f"{space}:") and " teacher.weights: nowhere/t.safetensors: no such file" in complained


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_changed_space_is_refused_by_the_name_of_its_change(command, write, tmp_path, ran, flags):
    space = write(tmp_path / "y.yaml", name="x", train={"epochs": 3, "batch_size": 64, "lr": 0.5})
    code, _, complained = command(space, "--out", ran, *flags)
    assert code == 2
    assert "was run with other values of train.lr;" in complained and len(complained.splitlines()) == 1


def test_a_check_before_starting_anew_compares_with_nothing(command, write, tmp_path, ran):
    space = write(tmp_path / "y.yaml", name="x", train={"epochs": 3, "batch_size": 64, "lr": 0.5})
    assert command(space, "--out", ran, "--check", "--fresh")[0] == 0
    assert records.space_file(ran).is_file()


def test_starting_anew_keeps_the_old_folder(command, write, tmp_path, ran):
    with pytest.raises(TypeError):  # Ray would be started now
        command(write(tmp_path / "y.yaml", name="x", train={"epochs": 1}), "--out", ran, "--fresh")
    (old,) = (path for path in tmp_path.iterdir() if path.name.startswith("run."))
    assert "batch_size: 64" in records.space_file(old).read_text()
    assert "batch_size: 64" not in records.space_file(ran).read_text()


@pytest.mark.parametrize("flags", [(), ("--fresh",)])
def test_two_runs_do_not_share_a_folder(command, write, tmp_path, ran, flags):
    with FileLock(ran / ".lock"):
        code, _, complained = command(write(tmp_path / "x.yaml"), "--out", ran, *flags)
    assert code == 2
    assert f"{ran}: another run is at work there" in complained
    assert records.space_file(ran).is_file()


def test_a_file_is_no_folder(command, write, tmp_path):
    (tmp_path / "taken").touch()
    code, _, complained = command(write(tmp_path / "x.yaml"), "--out", tmp_path / "taken")
    assert code == 2 and "taken: a file; expected a folder" in complained


def test_a_plugin_that_is_not_there_or_broken_is_named(command, write, tmp_path):
    space = write(tmp_path / "x.yaml")
    assert command(space, "--plugin", tmp_path / "none.py")[::2] == (2, f"--plugin {tmp_path}/none.py: no such file\n")
    (tmp_path / "bad.py").write_text("\nx = missing\n")
    code, _, complained = command(space, "--plugin", tmp_path / "bad.py")
    assert code == 2 and complained.startswith("bad.py:2: NameError: ")


def test_precision_stays_what_it_was_when_the_experiment_began(command, write, tmp_path, monkeypatch):
    """A student in float32 under a teacher in whatever is fastest; the folder moves to a machine where that differs."""
    space = write(tmp_path / "x.yaml", train={"epochs": 3, "precision": "float32"})
    monkeypatch.setattr("search.run.fastest_precision", lambda _: "bfloat16")
    with pytest.raises(TypeError):  # Ray would be started now
        command(space, "--out", tmp_path / "run")
    assert "precision: bfloat16" in records.space_file(tmp_path / "run").read_text()
    for fastest in ("bfloat16", "float32"):
        monkeypatch.setattr("search.run.fastest_precision", lambda _, fastest=fastest: fastest)
        code, _, complained = command(space, "--out", tmp_path / "run", "--check")
        assert (code, complained) == (0, "")


def test_the_gpu_of_this_machine_is_asked_for_and_another_machine_may_have_none(command, write, tmp_path, monkeypatch):
    space = write(tmp_path / "x.yaml")
    for gpus in (1, 0):
        monkeypatch.setattr("torch.cuda.device_count", lambda gpus=gpus: gpus)
        with pytest.raises(TypeError):  # Ray would be started now
            command(space, "--out", tmp_path / "run")
        assert load(records.space_file(tmp_path / "run")).resources.gpus == gpus


def test_where_ray_does_not_start_again_there_are_tables_of_what_there_is(
    command, write, space, tmp_path, ran, trained, monkeypatch
):
    def fails(*_):
        raise UserError("Ray does not start: no memory")

    begun = trained(student(space(), "baseline", {"method.alpha": 0, "method.temperature": 1}, 0, 0), [0.5] * 3)
    monkeypatch.setattr("search.session.cluster.connected", fails)
    code, _, complained = command(write(tmp_path / "x.yaml"), "--out", ran)
    assert code == 2 and "Ray does not start: no memory" in complained
    assert begun.key in records.students_file(ran).read_text()
