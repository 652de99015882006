"""`python -m spaces list|show|new`, run as from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import spaces.catalogue.entries as catalogue
from spaces.__main__ import main
from spaces.catalogue.entries import SCHEMA_COMMENT, SCHEMA_FILE, CatalogueEntry, catalogue_entries, entry_keys
from spaces.errors import UserError
from spaces.space import load_space

ROOT = Path(__file__).parents[3]


@pytest.fixture
def output_of(capsys):
    """Output of a command that succeeds."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        output = capsys.readouterr()
        assert output.err == ""
        return output.out

    return run


@pytest.fixture
def error_of(capsys):
    """Error line of a command that fails."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        (line,) = output.err.splitlines()
        return line

    return run


def ids(entry: CatalogueEntry) -> str:
    return f"{entry.kind}.{entry.name}"


def test_list(output_of) -> None:
    text = output_of("list")
    flat = " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    for entry in catalogue_entries():
        assert f" {entry.name} {' '.join(entry.summary.split())}" in flat
        if keys := entry_keys(entry):
            assert f"keys: {', '.join(key.name for key in keys)}" in flat


@pytest.mark.parametrize("entry", catalogue_entries(), ids=ids)
def test_show_of_every_entry(entry: CatalogueEntry, output_of) -> None:
    text = output_of("show", entry.name)
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    assert all(part in flat for part in (entry.summary, entry.formula, entry.paper, *entry.layers))
    assert all(f"  {key.name} " in text for key in entry_keys(entry))


def test_show_method(output_of) -> None:
    lines = [" ".join(line.split()) for line in output_of("show", "hinton").splitlines()]
    assert lines[0] == "hinton, a method"
    assert "temperature_path linear or cosine linear choice" in lines
    assert any(line.startswith("alpha a number from 0 to 1") for line in lines)
    assert "temperature a number above 0 to 1000 required choice, uniform, loguniform, int" in lines
    assert any(line.startswith("Loss alpha · T² · KL(") for line in lines)
    assert "Source Hinton, Vinyals & Dean (2015), section 2" in lines


def test_show_bounds_defaults_and_descriptions(output_of) -> None:
    lines = [" ".join(line.split()) for line in output_of("show", "train").splitlines()]
    assert "momentum a number from 0 to below 1 0.9 choice, uniform, loguniform" in lines
    assert "precision auto or float32 or bfloat16 auto choice" in lines
    number = lines.index("batch_size a whole number from 1 256 choice, int")
    assert lines[number + 1] == "Images per optimizer step"


def test_show_key(output_of) -> None:
    text = output_of("show", "temperature")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "temperature, a key of" and max(map(len, text.splitlines())) <= 100
    assert "hinton a method a number above 0 to 1000 required choice, uniform, loguniform, int" in lines
    owners = {entry.name for entry in catalogue_entries() if "temperature" in [key.name for key in entry_keys(entry)]}
    assert {line.split()[0] for line in lines[3:]} >= owners


def test_summary_is_not_repeated(output_of) -> None:
    assert output_of("show", "asha").count("Asynchronous successive halving") == 1


def test_show_name_of_several_entries(output_of) -> None:
    text = output_of("show", "none")
    assert "none, a method" in text and "none, a scheduler" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "hintn"), "hintn: no such name; did you mean hinton?"),
        (("show", "temprature"), "temprature: no such name; did you mean temperature?"),
        (("show", "xyzzy"), "xyzzy: no such name; python -m spaces list names all"),
        (("new", "--method", "hintn"), "hintn: no method; did you mean hinton?"),
        (("new", "--data", "mnits"), "mnits: no data; did you mean mnist?"),
        (("new", "--model", "hinton"), "hinton: no model; known: "),
    ],
)
def test_unknown_name(arguments: tuple[str, ...], message: str, error_of) -> None:
    assert error_of(*arguments).startswith(message)


def test_new_space_loads(output_of, tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "mine.yaml"
    path.parent.mkdir()
    assert f"python -m search.run {path} --check" in output_of("new", path)
    space = load_space(path)
    assert space.name == "mine" and space.knobs == ["method.alpha", "method.temperature"] and space.table
    head = path.read_text(encoding="utf-8").splitlines()[0]
    assert (path.parent / head.removeprefix(SCHEMA_COMMENT)).resolve() == SCHEMA_FILE


def test_new_space_lists_optional_keys(output_of) -> None:
    lines = output_of("new", "--model", "cnn").splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("    # dropout: 0.5  ")]
    note = " ".join(line.rpartition("# ")[2] for line in lines[number : number + 2])
    assert "(a number from 0 to below 1)" in note
    assert any(line.endswith("# Images per optimizer step (a whole number from 1)") for line in lines)
    assert max(map(len, lines)) <= 100


def test_new_space_of_a_method_without_knobs(output_of, tmp_path: Path) -> None:
    output_of("new", "--method", "none", tmp_path / "x.yaml")
    assert load_space(tmp_path / "x.yaml").knobs == ["train.lr"]


def test_new_space_of_a_method_with_lists_of_layers(output_of, tmp_path: Path) -> None:
    output_of("new", "--method", "review", tmp_path / "x.yaml")
    space = load_space(tmp_path / "x.yaml")
    assert space.knobs == ["method.alpha"] and "guided: [relu2]" in (tmp_path / "x.yaml").read_text()


def test_existing_file_is_kept(error_of, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("mine")
    assert error_of("new", path).startswith(f"{path}: exists already")
    assert path.read_text() == "mine"


def test_missing_folder(error_of, tmp_path: Path) -> None:
    path = tmp_path / "none" / "x.yaml"
    assert error_of("new", path) == f"{path}: No such file or directory"


def test_missing_schema_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.load_schema.cache_clear()
    monkeypatch.setattr(catalogue, "SCHEMA_FILE", tmp_path / "schema.json")
    try:
        with pytest.raises(UserError, match="`make schema` writes it"):
            catalogue_entries()
    finally:
        catalogue.load_schema.cache_clear()


@pytest.mark.parametrize("arguments", [["list"], ["show", "hinton"], ["new"]])
def test_imports_are_light(arguments: list[str]) -> None:
    code = """
import runpy, sys
try:
    runpy.run_module("spaces", run_name="__main__", alter_sys=True)
except SystemExit as exit:
    assert exit.code == 0
print(*sys.modules, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    heavy = {"torch", "ray", "pandas", "numpy", "optuna", "pydantic", "rich", "trainables", "search", "results"}
    assert done.stdout and heavy & set(done.stderr.split()) == set()
