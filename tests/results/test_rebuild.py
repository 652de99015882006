from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys

import pandas
import pytest
from rich.console import Console

from results import paths
from results.command_line import main
from results.experiment import load_experiment
from results.rebuild import rebuild_results
from results.terminal import print_results
from spaces.errors import UserError

FILES = ["students.csv", "leaderboard.csv", "leaderboard.md", "table.csv", "table.md", "heatmap.png", "heatmap.pdf"]
FILES += ["curves.png", "curves.pdf"]


def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def rebuilt(full, tmp_path_factory):
    """A copy of the full grid with its results; only to be read."""
    folder = copy(full, tmp_path_factory.mktemp("rebuilt"))
    rebuild_results(folder)
    return folder


def test_everything_is_rebuilt_from_the_rows(rebuilt, tmp_path):
    folder = copy(rebuilt, tmp_path)
    assert all((folder / name).stat().st_size for name in FILES)
    assert (folder / "tensorboard").is_dir()
    first = {name: (folder / name).read_bytes() for name in FILES}
    rebuild_results(folder)
    assert {name: (folder / name).read_bytes() for name in FILES} == first
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_table_csv_has_one_line_per_cell(rebuilt):
    table = pandas.read_csv(rebuilt / "table.csv")
    assert list(table.columns) == (
        [
            "method.alpha",
            "method.temperature",
            "mean",
            "std",
            "n",
            "asked",
            "val_mean",
            "val_std",
            "best",
            "tied",
            "baseline",
        ]
    )
    assert len(table) == 9 and table["best"].sum() == 1 and (table["n"] == 3).all()
    assert table["mean"].between(0.9, 1).all()


def test_a_running_experiment_keeps_its_tensorboard(running):
    (running / "tensorboard").mkdir()
    (running / "tensorboard" / "events.out.tfevents.1.x.students").write_bytes(b"live")
    rebuild_results(running)
    assert (running / "table.md").exists()
    assert (running / "tensorboard" / "events.out.tfevents.1.x.students").read_bytes() == b"live"


@pytest.mark.parametrize("name", ["broken", "confirmed", "confirmed_on_all", "single", "running"])
def test_every_kind_of_experiment_is_rebuilt(name, request, capsys):
    folder = request.getfixturevalue(name)
    assert main([str(folder)]) == 0
    table = [(folder / file).exists() for file in ("table.csv", "table.md", "heatmap.png")]
    assert table == [name not in ("confirmed", "confirmed_on_all")] * 3
    assert (folder / "leaderboard.md").exists() and (folder / "curves.png").exists()
    out = capsys.readouterr().out
    assert "Leaderboard" in out and "baseline" in out
    assert "**" not in out  # no marks of Markdown in a pipe


def test_nothing_begun_is_rebuilt_too(empty):
    folder = empty(rest="table: {rows: method.alpha, columns: method.temperature}\n").folder
    rebuild_results(folder)
    assert not (folder / "table.md").exists() and (folder / "leaderboard.md").exists()


def test_a_folder_that_is_no_experiment_exits_2(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == f"{tmp_path}: not an experiment folder: it holds no space.yaml"
    with pytest.raises(UserError):
        rebuild_results(tmp_path / "missing")


def fresh(code: str) -> list[str]:
    """What a fresh interpreter has imported after some code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_folder_of_an_earlier_version_exits_2(full, tmp_path, capsys):
    folder = copy(full, tmp_path)
    file = paths.space_file(folder)
    file.write_text(file.read_text().replace("train: {", "train: {jitter: 1, top: null, ", 1))
    assert main([str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: recorded by an earlier version (")
    assert "train.jitter renamed to shift, " in line and "train.top renamed to head_first)" in line
    assert line.endswith("; run the search again with --fresh, or read the results with that version")


def test_results_need_no_ray_no_torch_and_no_search():
    loaded = fresh("import results.command_line, results.rebuild, results.terminal")
    assert not {"ray", "torch", "search", "trainables", "tensorflow", "tensorboardX", "optuna"} & set(loaded)
    assert "matplotlib" in loaded


def test_writing_rows_needs_no_pandas():
    assert not {"pandas", "numpy", "matplotlib", "scipy", "tensorboard"} & set(fresh("import results, results.records"))


def test_the_command_in_an_interpreter_of_its_own(full, tmp_path):
    folder = copy(full, tmp_path)
    command = [sys.executable, "-W", "error", "-m", "results", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}  # which wraps lines
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.rstrip().endswith(f"tensorboard --logdir {folder}/tensorboard")
    assert "Temperature matters (p < 0.001)." in done.stdout and done.stderr == ""
    assert paths.heatmap_file(folder).exists()


def screen(folder, width: int) -> str:
    """What a terminal of so many columns shows, with its codes for bold."""
    file = io.StringIO()
    print_results(
        load_experiment(folder), Console(file=file, width=width, force_terminal=True, color_system="standard")
    )
    return file.getvalue()


def test_a_wide_terminal_shows_each_cell_on_a_line_and_the_chosen_one_bold(full):
    text = screen(full, 100)
    assert re.search(r"\x1b\[1m(= )?\d\d\.\d\d ± \d\.\d\d", text)
    assert "**" not in text and "`" not in text


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_is_broken_by_a_narrow_terminal(full, width):
    text, _, commands = re.sub(r"\x1b\[[\d;]*m", "", screen(full, width)).partition("Tables and pictures:")
    assert "python -m results export" in commands  # unbroken, so that they can be copied
    lines = text.split("Leaderboard")[1].splitlines()
    assert max(map(len, lines)) <= width
    heads = next(line for line in lines if "rank" in line)
    assert "test %" in heads and ("agreement with teacher %" in heads) == (width == 200)
    assert not any("…" in line for line in lines)
    assert len([line for line in lines if re.match(r"  (\d|–) +(explore|baseline|teacher)", line)]) == 8


def test_the_tables_of_a_read_only_folder_are_printed(full, tmp_path, capsys, read_only):
    folder = copy(full, tmp_path)
    before = {path: path.stat().st_mtime for path in folder.rglob("*")}
    with read_only(folder):
        assert main([str(folder)]) == 0
        output, error = capsys.readouterr()
    assert "Leaderboard" in output and "Test accuracy in %" in output and error == ""
    assert output.endswith(f"{folder} cannot be written, so its files are left as they are.\n")
    assert {path: path.stat().st_mtime for path in folder.rglob("*")} == before


@pytest.mark.parametrize("file", ["space.yaml/x.csv", "x" * 300])
def test_a_comparison_that_cannot_be_written_is_one_line(full, capsys, file):
    assert main(["compare", str(full), "--csv", str(full / file)]) == 2
    assert capsys.readouterr().err.startswith(f"{full / file}: cannot be written (")
