"""Folder of an experiment: changes are refused, old folders are moved aside."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from results import paths, records
from search.folder import locked_folder, move_aside, refuse_changes
from search.identity import START_ANOTHER, experiment_identity
from search.output_folder import experiment_folder
from spaces.errors import UserError
from spaces.space import load_space
from trainables import data as datasets

DATA = datasets.load_dataset("digits")


@pytest.fixture
def refusal(write, tmp_path):
    """Return a function: the error for a changed space in the folder of an experiment, or ""."""
    folder = tmp_path / "run"
    search = {"algorithm": "random", "trials": 4}
    loaded = load_space(write(tmp_path / "x.yaml", search=search, seeds=[0]))
    records.write_file(paths.space_file(folder), loaded.dump())
    records.save_identity(folder, experiment_identity(loaded, DATA, {"mine.py": "1"}))

    def refuse(plugins: dict[str, str] | None = None, **parts) -> str:
        changed = {"search": search, "seeds": [0], **parts}
        try:
            space = load_space(write(tmp_path / "y.yaml", name="x", **changed))
            identity = experiment_identity(space, DATA, {"mine.py": "1"} if plugins is None else plugins)
            refuse_changes(space, identity, folder)
        except UserError as error:
            return str(error)
        return ""

    return refuse


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"search": {"algorithm": "random", "trials": 5}},
        {"method": {"name": "hinton", "alpha": {"choice": [0, 0.5, 1]}, "temperature": {"choice": [1, 4]}}},
        {"confirm": None},
    ],
)
def test_an_extension_is_accepted(refusal, parts):
    assert refusal(**parts) == ""


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({"train": {"epochs": 3, "batch_size": 64, "lr": 0.5}}, "train.lr"),
        ({"student": {"model": {"name": "mlp", "hidden": [9]}}}, "student.model.hidden"),
        ({"train": {"epochs": 4, "batch_size": 32}}, "train.epochs, train.batch_size"),
        ({"search": {"algorithm": "random", "trials": 3}}, "search.trials"),
    ],
)
def test_other_changes_are_refused_and_named(refusal, parts, names):
    message = refusal(**parts)
    assert f"other values of {names};" in message
    assert "--fresh" in message and "--out" in message


@pytest.mark.parametrize(
    ("plugins", "reason"),
    [
        ({"mine.py": "2"}, "plugin file mine.py changed"),
        ({}, "plugin file mine.py is missing"),
        ({"mine.py": "1", "b.py": "1"}, "plugin file b.py is new"),
    ],
)
def test_other_plugins_are_refused_and_named(refusal, plugins, reason):
    assert refusal(plugins=plugins).endswith(f"run: {reason}; {START_ANOTHER}")


def test_a_folder_without_an_experiment_accepts_any_space(space, tmp_path):
    refuse_changes(space(), {}, tmp_path / "nowhere")


def test_moving_aside_deletes_nothing(tmp_path):
    folder = tmp_path / "run"
    row = {"kind": "student", "trial": "a", "stage": "explore", "seed": 0}
    records.append_row(folder, "a", row)
    aside = move_aside(folder)
    assert aside is not None and aside.parent == tmp_path
    assert not folder.exists()
    assert records.read_rows(aside, "a") == [row]
    assert move_aside(folder) is None


def test_a_folder_in_use_is_not_moved(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(UserError, match="in use by another run"):
        move_aside(folder)
    assert folder.is_dir()
    with locked_folder(folder), pytest.raises(UserError, match="in use by another run"), locked_folder(folder):
        pass


def test_the_folder_is_named_by_the_space_unless_out_names_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert experiment_folder(None, "x", smoke_test=False) == tmp_path / "runs" / "x"
    assert experiment_folder(None, "x", smoke_test=True) == tmp_path / "runs" / "x.smoke"
    assert experiment_folder("y", "x", smoke_test=True) == tmp_path / "y"
    Path("y").touch()
    with pytest.raises(UserError, match="y: a file; expected a folder"):
        experiment_folder("y", "x", smoke_test=False)
