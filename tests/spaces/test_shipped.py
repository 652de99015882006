"""Every shipped space loads; a mutated key gives exactly one error: file, line, path and the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces.document import read_document
from spaces.domain import DOMAIN_KINDS
from spaces.errors import UserError
from spaces.space import load_space
from trainables.validate import recipe_problems

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "spaces").rglob("*.yaml"))


def _keys() -> Iterator[tuple[Path, str]]:
    for file in FILES:
        for path in read_document(ROOT / file).lines:
            named = re.search(r"\bchoice\.\d+\.name$", path)  # without its name an option is something else altogether
            if path and not named and not path.rpartition(".")[2].isdigit():
                yield file, path


def test_there_are_spaces() -> None:
    assert {path.stem for path in FILES} >= {"mnist_hinton", "mnist_search", "mnist_hinton2015"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_it_loads_fills_and_comes_back(file: Path, tmp_path: Path) -> None:
    space = load_space(ROOT / file)
    for found in filter(None, (space, space.fallback_space())):
        recipes = [found.fill(values, seed) for values in found.probes() for seed in found.seeds]
        assert len({recipe.key() for recipe in recipes}) == len(recipes)
    (tmp_path / "again.yaml").write_text(space.dump())
    assert load_space(tmp_path / "again.yaml") == space


@pytest.mark.parametrize("file", FILES, ids=str)
def test_its_head_names_the_command(file: Path) -> None:
    head = (ROOT / file).read_text().split("\ndata:")[0]
    assert f"python -m search.run {file.as_posix()}" in head
    assert "Cost:" in head


@pytest.mark.parametrize(("file", "path"), list(_keys()), ids=str)
def test_a_mutated_key_gives_one_error(file: Path, path: str, tmp_path: Path) -> None:
    key, parent = path.rpartition(".")[2], path.rpartition(".")[0]
    copy = tmp_path / file.name
    number = _mutate(ROOT / file, path, copy)
    with pytest.raises(UserError) as caught:
        load_space(copy, recipe_problems)
    parent = re.sub(r"\bchoice\.\d+\b\.?", "", parent).rstrip(".")  # where it stands in a recipe
    shown = f"{parent}: unknown key {key}x" if key in DOMAIN_KINDS else f"{parent}.{key}x".lstrip(".") + ": unknown key"
    assert str(caught.value) == f"{copy}:{number}: {shown}; did you mean {key}?"


def _mutate(file: Path, path: str, copy: Path) -> int:
    """Write a copy in which one key has a letter more; return its line."""
    lines, key = read_document(file).lines, path.rpartition(".")[2]
    before = [other for other in lines if lines[other] == lines[path] and other.rpartition(".")[2] == key].index(path)
    text = file.read_text().splitlines()
    found = list(re.finditer(rf"\b{key}:", text[lines[path] - 1]))[before]
    text[lines[path] - 1] = text[lines[path] - 1][: found.start()] + f"{key}x:" + text[lines[path] - 1][found.end() :]
    copy.write_text("\n".join(text))
    return lines[path]
