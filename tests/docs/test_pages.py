"""The pages of docs/ as a reader uses them: every block of code runs as printed, and every YAML is a space.

The blocks of a page run in its order, in an empty folder; one that begins with `# NAME.yaml` or `# NAME.py` is a file.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest
from markdown_it import MarkdownIt

from spaces.document import read
from spaces.space import load
from trainables import plugin
from trainables.data import DATA
from trainables.methods import METHODS
from trainables.models import MODELS
from trainables.validate import judge

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
FILE = re.compile(r"# (\S+\.(?:yaml|py))\n")
NOT_RUN = re.compile(r'\{not-run="[^"]{20,}"\}')
LANGUAGES = {"sh", "yaml", "python", "pycon", "text", "{toctree}", "{eval-rst}"}
# Keys that have no default, for fragments that do not show them.
DEFAULTS = {"data": "{name: digits}", "method": "{name: hinton, alpha: 0.5, temperature: 4}"}


WIDTH = 90  # columns that a page shows without scrolling


class Block(NamedTuple):
    """A fenced block of a page; `file` is the name under which it is kept, `output` what it is said to print."""

    line: int
    language: str
    info: str
    text: str
    output: str = ""

    @property
    def file(self) -> str:
        """The name in its first line, or nothing."""
        found = FILE.match(self.text)
        return found[1] if found else ""


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, or all; the one after "It prints:" is the output of the one before."""
    found: list[Block] = []
    printed = False
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "inline":
            printed = token.content == "It prints:"
        elif token.type == "fence" and printed:
            found[-1] = found[-1]._replace(output=token.content)
        elif token.type == "fence":
            language, _, info = token.info.partition(" ")
            found.append(Block(token.map[0] + 1, language, info, token.content))
    return [block for block in found if not languages or block.language in languages]


def pages(*languages: str, without: tuple[str, ...] = ()) -> list:
    """The pages that have blocks in one of these languages, and none in the others."""
    found = [page for page in PAGES if blocks(page, *languages) and not (without and blocks(page, *without))]
    return [pytest.param(page, id=page.relative_to(ROOT / "docs").as_posix()) for page in found]


def run(page: Path, folder: Path) -> int:
    """Run all blocks of a page in a folder, and return how many did run."""
    ran = 0
    for block in blocks(page, "sh", "yaml", "python", "pycon"):
        where = f"{page}:{block.line}"
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "pycon":
            ran += examples(block, where)
        elif block.language in ("sh", "python") and not block.info:
            ran += program(block, where, folder)
    return ran


def program(block: Block, where: str, folder: Path) -> int:
    """Run shell commands or Python as a person would."""
    shells = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-W", "error", "-c"]}
    cache = str(folder / "cache")
    environment = {**os.environ, "KD_CACHE": cache, "XDG_CACHE_HOME": cache}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("KD_DATA", None)
    # coreutils' timeout ends what the shell has started too
    command = ["timeout", "--kill-after=20", "1500", *shells[block.language], block.text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{where}\n{block.text}\n{done.stdout}\n{done.stderr}"
    if block.output:
        assert done.stdout == block.output, where
    return 1


def examples(block: Block, where: str) -> int:
    """Check a Python session line by line."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, where, where, block.line)
    told: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(test, out=told.append).failed == 0, "".join(told)
    assert test.examples, where
    return len(test.examples)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with what a command may name of this project, and nothing else."""
    for name in ("examples", "spaces"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", pages("sh"))
def test_every_block_runs_as_printed(page: Path, empty: Path) -> None:
    asked = [block for block in blocks(page, "sh") if not block.info]
    assert run(page, empty) >= len(asked)
    shutil.rmtree(empty / "cache", ignore_errors=True)


@pytest.mark.parametrize("page", pages("python", "pycon", without=("sh",)))
def test_every_example_runs_as_printed(page: Path, empty: Path) -> None:
    assert run(page, empty)


@pytest.fixture
def registries() -> Iterator[None]:
    """What plugins add is gone afterwards."""
    with mock.patch.dict(METHODS), mock.patch.dict(MODELS), mock.patch.dict(DATA), mock.patch.dict(plugin._loaded):
        yield


@pytest.mark.parametrize("page", pages("yaml"))
def test_every_yaml_is_a_space(page: Path, tmp_path: Path, monkeypatch, registries) -> None:
    monkeypatch.chdir(tmp_path)
    plugin.register({block.file: block.text for block in blocks(page, "python") if block.file})
    for block in blocks(page, "yaml"):
        file = tmp_path / f"line_{block.line}.yaml"
        file.write_text(block.text)
        missing = [f"{key}: {value}\n" for key, value in DEFAULTS.items() if key not in read(file).tree]
        file.write_text(block.text + "".join(missing))
        for weights in re.findall(r"weights: ([^,}\s]+)", block.text):
            Path(weights).parent.mkdir(parents=True, exist_ok=True)
            Path(weights).touch()
        load(file, judge)


def test_blocks_are_of_known_languages() -> None:
    assert {block.language for page in PAGES for block in blocks(page)} == LANGUAGES


def test_what_does_not_run_says_why() -> None:
    told = [block for page in PAGES for block in blocks(page) if block.info]
    assert all(block.language == "sh" and NOT_RUN.fullmatch(block.info) for block in told)
    assert len(told) < len([block for page in PAGES for block in blocks(page, "sh")]) / 3


def test_code_is_no_wider_than_a_page() -> None:
    told = [(page, line) for page in PAGES for block in blocks(page) for line in block.text.splitlines()]
    assert not [(page.name, line) for page, line in told if len(line) > WIDTH]
