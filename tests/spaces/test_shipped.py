"""Every shipped space loads; a misspelled key gives exactly one error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spaces.document import read_document
from spaces.domain import DOMAIN_KINDS
from spaces.errors import UserError
from spaces.space import load_space
from trainables.validate import recipe_problems

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "spaces").rglob("*.yaml"))


def _keys() -> dict[str, tuple[Path, str]]:
    """Return the keys of all spaces, each once: of options that differ only in their place, the first."""
    keys: dict[str, tuple[Path, str]] = {}
    for file in FILES:
        tried: set[str] = set()
        for path in read_document(ROOT / file).lines:
            general = re.sub(r"\d+", "*", path)  # a key of several options once
            if general in tried:
                continue
            tried.add(general)
            named = re.search(r"\bchoice\.\d+\.name$", path)  # an option without its name is another option
            if path and not named and not path.rpartition(".")[2].isdigit():
                keys.setdefault(re.sub(r"\.\d+\b", ".#", path), (file, path))
    return keys


def test_there_are_spaces() -> None:
    assert {path.stem for path in FILES} >= {"mnist_hinton", "mnist_search", "mnist_hinton2015"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_load_fill_and_round_trip(file: Path, tmp_path: Path) -> None:
    space = load_space(ROOT / file)
    for version in filter(None, (space, space.fallback_space())):
        recipes = [version.fill(values, seed) for values in version.probes() for seed in version.seeds]
        assert len({recipe.key() for recipe in recipes}) == len(recipes)
    (tmp_path / "again.yaml").write_text(space.dump())
    assert load_space(tmp_path / "again.yaml") == space


@pytest.mark.parametrize("file", FILES, ids=str)
def test_head_names_the_command(file: Path) -> None:
    head = (ROOT / file).read_text().split("\ndata:")[0]
    assert f"python -m search.run {file.as_posix()}" in head
    assert "Cost:" in head


@pytest.mark.parametrize(("file", "path"), _keys().values(), ids=str)
def test_misspelled_key_gives_one_error(file: Path, path: str, tmp_path: Path) -> None:
    key, parent = path.rpartition(".")[2], path.rpartition(".")[0]
    copy = tmp_path / file.name
    number = _write_misspelled(ROOT / file, path, copy)
    with pytest.raises(UserError) as caught:
        load_space(copy, recipe_problems)
    parent = re.sub(r"\bchoice\.\d+\b\.?", "", parent).rstrip(".")  # path in a recipe
    shown = f"{parent}: unknown key {key}x" if key in DOMAIN_KINDS else f"{parent}.{key}x".lstrip(".") + ": unknown key"
    assert str(caught.value) == f"{copy}:{number}: {shown}; did you mean {key}?"


def _write_misspelled(file: Path, path: str, copy: Path) -> int:
    """Write a copy with one misspelled key; return its line."""
    lines, key = read_document(file).lines, path.rpartition(".")[2]
    index = lines[path] - 1
    same_key = [name for name in lines if lines[name] == lines[path] and name.rpartition(".")[2] == key]
    text = file.read_text().splitlines()
    match = list(re.finditer(rf"\b{key}:", text[index]))[same_key.index(path)]
    text[index] = f"{text[index][: match.start()]}{key}x:{text[index][match.end() :]}"
    copy.write_text("\n".join(text))
    return lines[path]
