"""From a file to a space, its data and its folder, and what is refused on the way."""

from __future__ import annotations

from io import StringIO

import pytest
from filelock import FileLock
from rich.console import Console

from results import records
from search.prepare import FEWEST, SMOKE, move_aside, prepare, refuse_changes
from spaces.errors import UserError
from spaces.space import load
from trainables import data as datasets
from trainables.data import Missing

DATA = datasets.load("digits")
LOST = {"name": "mnist"}  # found in no folder of these tests
OTHERWISE = {"data": {"name": "digits"}, "train": {"batch_size": 32}}


@pytest.fixture
def spoken() -> Console:
    return Console(file=StringIO(), width=200)


def heard(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_space_comes_with_its_data_and_in_silence(write, tmp_path, spoken):
    space, data = prepare(write(tmp_path / "x.yaml"), None, False, False, spoken)
    assert (space.name, data.name, heard(spoken)) == ("x", "digits", "")


def test_the_fallback_is_taken_where_there_is_no_data_and_none_was_promised_and_it_is_announced(
    write, tmp_path, spoken
):
    path = write(tmp_path / "x.yaml", data=LOST, fallback=OTHERWISE)
    space, data = prepare(path, None, False, False, spoken)
    assert data.name == "digits"
    assert space.fill(space.cells()[0], 0).train.batch_size == 32
    assert "Not the data that" in heard(spoken)
    assert "digits, 1,097 training images" in heard(spoken) and "fallback" in heard(spoken)


def test_without_a_fallback_missing_data_is_an_error(write, tmp_path, spoken):
    with pytest.raises(Missing):
        prepare(write(tmp_path / "x.yaml", data=LOST), None, False, False, spoken)


@pytest.mark.parametrize("promised", ["--data", "KD_DATA"])
def test_the_fallback_is_not_taken_where_data_was_promised(write, tmp_path, spoken, monkeypatch, promised):
    path = write(tmp_path / "x.yaml", data=LOST, fallback=OTHERWISE)
    if promised == "KD_DATA":
        monkeypatch.setenv("KD_DATA", str(tmp_path))
    with pytest.raises(Missing, match=str(tmp_path)):
        prepare(path, tmp_path if promised == "--data" else None, False, False, spoken)
    assert heard(spoken) == ""


def test_the_fallback_is_not_taken_where_the_data_is_there(write, tmp_path, spoken):
    path = write(tmp_path / "x.yaml", fallback={"data": {"name": "mnist5k"}})
    assert prepare(path, None, False, False, spoken)[1].name == "digits"
    assert heard(spoken) == ""


ABSENT = {"name": "cifar10"}  # found in no folder of these tests, but can be generated


@pytest.mark.parametrize("promised", [True, False])
def test_a_smoke_test_makes_do_with_generated_images_and_says_so(write, tmp_path, spoken, promised):
    path = write(tmp_path / "x.yaml", data=ABSENT)
    space, data = prepare(path, tmp_path if promised else None, False, True, spoken)
    assert data.name == "generated cifar10" and data.shape == (3, 32, 32) and tuple(data.sizes.values()) == SMOKE
    assert space.fill(space.cells()[0], 0).data.name == "cifar10"
    for words in ("Not the data that", "looked in", "--download", "images generated in its layout"):
        assert words in heard(spoken)
    with pytest.raises(Missing):
        prepare(path, None, False, False, spoken)


def test_a_smoke_test_of_what_cannot_be_generated_needs_the_data(write, tmp_path, spoken):
    with pytest.raises(Missing):
        prepare(write(tmp_path / "x.yaml", data=LOST), None, False, True, spoken)


def test_real_images_are_better_than_generated_ones(write, tmp_path, spoken):
    path = write(tmp_path / "x.yaml", data=ABSENT, fallback=OTHERWISE)
    assert prepare(path, None, False, True, spoken)[1].name == "digits"


def test_wrong_groups_of_generated_images_are_told_with_their_line(write, tmp_path, spoken):
    path = write(tmp_path / "x.yaml", data={**ABSENT, "groups": [["cat"], ["dgo"]]})
    with pytest.raises(UserError, match=r"x.yaml:\d+: data.groups: dgo is no class of cifar10; did you mean dog?"):
        prepare(path, None, False, True, spoken)


def test_a_smoke_test_is_the_space_in_small(write, tmp_path, spoken):
    path = write(tmp_path / "x.yaml", seeds=[0, 1, 2], train={"epochs": 30, "batch_size": 64})
    space, data = prepare(path, None, False, True, spoken)
    assert tuple(data.sizes.values()) == SMOKE
    assert len(space.seeds) == 1 and space.fill(space.cells()[0], 0).train.epochs == 1


def test_what_a_method_does_not_take_is_refused_with_its_line(write, tmp_path, spoken):
    method = {"name": "hinton", "alpha": 0.5, "temprature": {"choice": [1, 4]}}
    with pytest.raises(UserError, match=r"x\.yaml:\d+: method\.temprature: .*did you mean temperature\?"):
        prepare(write(tmp_path / "x.yaml", method=method), None, False, False, spoken)


@pytest.fixture
def ran(write, tmp_path):
    """An experiment was run; returns what a changed space is refused with, or an empty text."""
    folder = tmp_path / "run"
    search = {"algorithm": "random", "trials": 4}
    records.replace(records.space_file(folder), load(write(tmp_path / "x.yaml", search=search, seeds=[0])).dump())
    records.save_environment(folder, {"plugins": {"mine.py": "1"}})

    def refused(plugins: dict[str, str] | None = None, **parts) -> str:
        changed = {"search": search, "seeds": [0], **parts}
        try:
            space = load(write(tmp_path / "y.yaml", name="x", **changed))
            refuse_changes(space, DATA, folder, {"mine.py": "1"} if plugins is None else plugins)
        except UserError as error:
            return str(error)
        return ""

    return refused


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"search": {"algorithm": "random", "trials": 5}},
        {"method": {"name": "hinton", "alpha": {"choice": [0, 0.5, 1]}, "temperature": {"choice": [1, 4]}}},
        {"confirm": None},
    ],
)
def test_more_of_the_same_is_accepted(ran, parts):
    assert ran(**parts) == ""


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"train": {"epochs": 3, "batch_size": 64, "lr": 0.5}}, "train.lr"),
        ({"student": {"model": {"name": "mlp", "hidden": [9]}}}, "student.model.hidden"),
        ({"train": {"epochs": 4, "batch_size": 32}}, "train.epochs, train.batch_size"),
        ({"search": {"algorithm": "random", "trials": 3}}, "search.trials"),
        ({"plugins": {"mine.py": "2"}}, "--plugin"),
        ({"plugins": {}}, "--plugin"),
    ],
)
def test_other_changes_are_refused_by_name(ran, parts, named):
    said = ran(**parts)
    assert f"other values of {named};" in said
    assert "--fresh" in said and "--out" in said


def test_a_folder_without_an_experiment_refuses_nothing(space, tmp_path):
    refuse_changes(space(), DATA, tmp_path / "nowhere", {})


def test_moving_aside_deletes_nothing(tmp_path):
    folder = tmp_path / "run"
    row = {"kind": "student", "trial": "a", "stage": "explore", "seed": 0}
    records.append(folder, "a", row)
    aside = move_aside(folder)
    assert aside is not None and aside.parent == tmp_path
    assert not folder.exists()
    assert records.rows(aside, "a") == [row]
    assert move_aside(folder) is None


def test_a_folder_in_use_is_not_moved(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(UserError, match="another run is at work there"):
        move_aside(folder)
    assert folder.is_dir()


def test_wrong_groups_are_told_with_their_line(write, tmp_path, spoken):
    path = write(tmp_path / "x.yaml", data={"name": "digits", "groups": [[0, 1], [2, 3]]})
    with pytest.raises(UserError, match=r"x.yaml:\d+: data.groups: class 4 is in no group"):
        prepare(path, None, False, False, spoken)


def test_a_network_that_is_dear_sees_fewer_images_in_a_smoke_test(write, tmp_path, spoken, monkeypatch):
    monkeypatch.setattr("search.prepare.WORK", 1)
    _, data = prepare(write(tmp_path / "x.yaml"), None, False, True, spoken)
    assert set(data.sizes.values()) == {FEWEST}
