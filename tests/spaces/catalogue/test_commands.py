"""`python -m spaces list|show|new`, as a person uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import spaces.catalogue.entries as catalogue
from spaces.__main__ import main
from spaces.catalogue.entries import SCHEMA_COMMENT, SCHEMA_FILE, CatalogueEntry, catalogue_entries, entry_knobs
from spaces.errors import UserError
from spaces.space import load_space

ROOT = Path(__file__).parents[3]


@pytest.fixture
def said(capsys):
    """What a command prints, where all goes well."""

    def called(*arguments: object) -> str:
        assert main([str(each) for each in arguments]) == 0
        output = capsys.readouterr()
        assert output.err == ""
        return output.out

    return called


@pytest.fixture
def refused(capsys):
    """The one line that a command complains with."""

    def called(*arguments: object) -> str:
        assert main([str(each) for each in arguments]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        (line,) = output.err.splitlines()
        return line

    return called


def ids(entry: CatalogueEntry) -> str:
    return f"{entry.kind}.{entry.name}"


def test_everything_is_listed_by_name_sentence_and_keys(said) -> None:
    text = said("list")
    flat = " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    assert all(f" {each.name} {' '.join(each.summary.split())}" in flat for each in catalogue_entries())
    assert all(
        f"keys: {', '.join(knob.name for knob in entry_knobs(each))}" in flat
        for each in catalogue_entries()
        if entry_knobs(each)
    )


@pytest.mark.parametrize("entry", catalogue_entries(), ids=ids)
def test_everything_can_be_shown_within_the_width(entry: CatalogueEntry, said) -> None:
    text = said("show", entry.name)
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    assert all(part in flat for part in (entry.summary, entry.formula, entry.paper, *entry.layers))
    assert all(f"  {knob.name} " in text for knob in entry_knobs(entry))


def test_a_method_is_shown_with_its_formula_its_knobs_and_its_paper(said) -> None:
    lines = [" ".join(line.split()) for line in said("show", "hinton").splitlines()]
    assert lines[0] == "hinton, a method"
    assert "alpha a number from 0 to 1 required choice, uniform, loguniform, int" in lines
    assert "temperature a number above 0 required choice, uniform, loguniform, int" in lines
    assert any(line.startswith("Loss alpha · T² · KL(") for line in lines)
    assert "Source Hinton, Vinyals & Dean (2015), section 2" in lines


def test_bounds_defaults_and_words_are_shown(said) -> None:
    lines = [" ".join(line.split()) for line in said("show", "train").splitlines()]
    assert "momentum a number from 0 to below 1 0.9 choice, uniform, loguniform" in lines
    assert "precision auto or float32 or bfloat16 auto choice" in lines
    assert "batch_size a whole number from 1 256 choice, int" in lines


def test_a_knob_is_shown_with_all_that_take_it(said) -> None:
    text = said("show", "temperature")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "temperature, a key of" and max(map(len, text.splitlines())) <= 100
    assert "hinton a method a number above 0 required choice, uniform, loguniform, int" in lines
    takers = {each.name for each in catalogue_entries() if "temperature" in [knob.name for knob in entry_knobs(each)]}
    assert {line.split()[0] for line in lines[3:]} >= takers


def test_nothing_is_said_twice(said) -> None:
    assert said("show", "asha").count("Stop the worse students") == 1


def test_one_name_may_stand_for_several_things(said) -> None:
    text = said("show", "none")
    assert "none, a method" in text and "none, a scheduler" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "hintn"), "hintn: no such name; did you mean hinton?"),
        (("show", "temprature"), "temprature: no such name; did you mean temperature?"),
        (("show", "xyzzy"), "xyzzy: no such name; python -m spaces list names all"),
        (("new", "--method", "hintn"), "hintn: no method; did you mean hinton?"),
        (("new", "--data", "mnits"), "mnits: no data; did you mean mnist?"),
        (("new", "--model", "hinton"), "hinton: no model; known: "),
    ],
)
def test_an_unknown_name_brings_the_nearest(arguments: tuple[str, ...], complaint: str, refused) -> None:
    assert refused(*arguments).startswith(complaint)


def test_a_new_space_loads_and_knows_its_schema(said, tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "mine.yaml"
    path.parent.mkdir()
    assert f"python -m search.run {path} --check" in said("new", path)
    space = load_space(path)
    assert space.name == "mine" and space.knobs == ["method.alpha", "method.temperature"] and space.table
    head = path.read_text(encoding="utf-8").splitlines()[0]
    assert (path.parent / head.removeprefix(SCHEMA_COMMENT)).resolve() == SCHEMA_FILE


def test_a_new_space_names_what_else_may_be_said(said) -> None:
    lines = said("new", "--model", "cnn").splitlines()
    assert any(
        line.split("#")[1:] == [" dropout: 0.5                       ", " a number from 0 to below 1"] for line in lines
    )
    assert max(map(len, lines)) <= 100


def test_a_method_without_knobs_has_a_rate_to_search(said, tmp_path: Path) -> None:
    said("new", "--method", "none", tmp_path / "x.yaml")
    assert load_space(tmp_path / "x.yaml").knobs == ["train.lr"]


def test_a_file_is_never_written_over(refused, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("mine")
    assert refused("new", path).startswith(f"{path}: is there already")
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(refused, tmp_path: Path) -> None:
    path = tmp_path / "none" / "x.yaml"
    assert refused("new", path) == f"{path}: No such file or directory"


def test_a_missing_schema_names_the_command_that_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.load_schema.cache_clear()
    monkeypatch.setattr(catalogue, "SCHEMA", tmp_path / "schema.json")
    try:
        with pytest.raises(UserError, match="`make schema` writes it"):
            catalogue_entries()
    finally:
        catalogue.load_schema.cache_clear()


@pytest.mark.parametrize("arguments", [["list"], ["show", "hinton"], ["new"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = """
import runpy, sys
try:
    runpy.run_module("spaces", run_name="__main__", alter_sys=True)
except SystemExit as ended:
    assert ended.code == 0
print(*sys.modules, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    heavy = {"torch", "ray", "pandas", "numpy", "optuna", "pydantic", "rich", "trainables", "search", "results"}
    assert done.stdout and heavy & set(done.stderr.split()) == set()
