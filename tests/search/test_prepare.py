"""Loading a space and its data, substitutes for missing data, and smoke tests."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from search.command_line import RunOptions
from search.plan.check_space import load_checked_space
from search.plan.smoke_images import MIN_SMOKE_TEST_IMAGES, SMOKE_TEST_IMAGES
from search.prepare import load_data
from search.session import fit_networks
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset, MissingFilesError

MISSING = {"name": "mnist"}  # in no folder of these tests
FALLBACK = {"data": {"name": "digits"}, "train": {"batch_size": 32}}


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=200)


def load_space_and_data(path, data_root, download, smoke_test, console) -> tuple[Space, Dataset]:
    """Load a space and its data, as `search.run` does before it makes its plan."""
    options = RunOptions(path, data=data_root, download=download, smoke_test=smoke_test)
    space, data = load_data(load_checked_space(path), options, console)
    return space, fit_networks(space, data, options)


def printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_space_is_loaded_with_its_data_without_a_message(write, tmp_path, console):
    space, data = load_space_and_data(write(tmp_path / "x.yaml"), None, False, False, console)
    assert (space.name, data.name, printed(console)) == ("x", "digits", "")


def test_the_fallback_replaces_missing_data_with_a_message(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", data=MISSING, fallback=FALLBACK)
    space, data = load_space_and_data(path, None, False, False, console)
    assert data.name == "digits"
    assert space.fill(space.cells()[0], 0).train.batch_size == 32
    assert printed(console) == (
        f"Using the 1,797 images of digits, the fallback of {path}; for mnist name its folder by --data DIR, "
        "or fetch the files (11 MB) by --download\n"
    )


def test_missing_data_without_a_fallback_is_an_error(write, tmp_path, console):
    with pytest.raises(MissingFilesError):
        load_space_and_data(write(tmp_path / "x.yaml", data=MISSING), None, False, False, console)


@pytest.mark.parametrize("source", ["--data", "KD_DATA"])
def test_the_fallback_is_not_used_with_a_named_data_root(write, tmp_path, console, monkeypatch, source):
    path = write(tmp_path / "x.yaml", data=MISSING, fallback=FALLBACK)
    if source == "KD_DATA":
        monkeypatch.setenv("KD_DATA", str(tmp_path))
    with pytest.raises(MissingFilesError, match=str(tmp_path)):
        load_space_and_data(path, tmp_path if source == "--data" else None, False, False, console)
    assert printed(console) == ""


def test_the_fallback_is_not_used_for_present_data(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", fallback={"data": {"name": "mnist5k"}})
    assert load_space_and_data(path, None, False, False, console)[1].name == "digits"
    assert printed(console) == ""


GENERATABLE = {"name": "cifar10"}  # in no folder of these tests, but can be generated


@pytest.mark.parametrize("named_root", [True, False])
def test_a_smoke_test_replaces_missing_data_by_generated_images(write, tmp_path, console, named_root):
    path = write(tmp_path / "x.yaml", data=GENERATABLE)
    space, data = load_space_and_data(path, tmp_path if named_root else None, False, True, console)
    assert (
        data.name == "generated cifar10"
        and data.shape == (3, 32, 32)
        and tuple(data.sizes.values()) == SMOKE_TEST_IMAGES
    )
    assert space.fill(space.cells()[0], 0).data.name == "cifar10"
    for words in ("images of generated cifar10, made for this smoke test", "looked in", "--download"):
        assert words in printed(console)
    with pytest.raises(MissingFilesError):
        load_space_and_data(path, None, False, False, console)


def test_a_smoke_test_of_data_that_cannot_be_generated_needs_it(write, tmp_path, console):
    with pytest.raises(MissingFilesError):
        load_space_and_data(write(tmp_path / "x.yaml", data=MISSING), None, False, True, console)


def test_a_smoke_test_prefers_the_fallback_to_generated_images(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", data=GENERATABLE, fallback=FALLBACK)
    assert load_space_and_data(path, None, False, True, console)[1].name == "digits"


def test_wrong_groups_of_generated_images_are_named_with_their_line(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", data={**GENERATABLE, "groups": [["cat"], ["dgo"]]})
    with pytest.raises(UserError, match=r"x.yaml:\d+: data.groups: dgo is no class of cifar10; did you mean dog?"):
        load_space_and_data(path, None, False, True, console)


def test_a_smoke_test_is_a_small_version_of_the_space(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", seeds=[0, 1, 2], train={"epochs": 30, "batch_size": 64})
    space, data = load_space_and_data(path, None, False, True, console)
    assert tuple(data.sizes.values()) == SMOKE_TEST_IMAGES
    assert len(space.seeds) == 1 and space.fill(space.cells()[0], 0).train.epochs == 1


def test_an_unknown_knob_of_a_method_is_named_with_its_line(write, tmp_path, console):
    method = {"name": "hinton", "alpha": 0.5, "temprature": {"choice": [1, 4]}}
    with pytest.raises(UserError, match=r"x\.yaml:\d+: method\.temprature: .*did you mean temperature\?"):
        load_space_and_data(write(tmp_path / "x.yaml", method=method), None, False, False, console)


def test_wrong_groups_are_named_with_their_line(write, tmp_path, console):
    path = write(tmp_path / "x.yaml", data={"name": "digits", "groups": [[0, 1], [2, 3]]})
    with pytest.raises(UserError, match=r"x.yaml:\d+: data.groups: class 4 is in no group"):
        load_space_and_data(path, None, False, False, console)


def test_a_large_network_gets_fewer_images_in_a_smoke_test(write, tmp_path, console, monkeypatch):
    monkeypatch.setattr("search.plan.smoke_images.SMOKE_TEST_MACS", 1)
    _, data = load_space_and_data(write(tmp_path / "x.yaml"), None, False, True, console)
    assert set(data.sizes.values()) == {MIN_SMOKE_TEST_IMAGES}
