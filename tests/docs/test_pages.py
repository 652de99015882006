"""The pages of docs/: every block of code runs as printed, and every YAML is a valid space.

The blocks of a page run in order in an empty folder; a block that begins with `# NAME.yaml` or `# NAME.py` is a file.
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

from spaces.document import read_document
from spaces.space import load_space
from trainables import plugin
from trainables.data import DATASETS
from trainables.methods import METHODS
from trainables.models import MODELS
from trainables.validate import recipe_problems

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
FILE = re.compile(r"# (\S+\.(?:yaml|py))\n")
RUN_ELSEWHERE = re.compile(r"(tests/\S+\.py) runs it")
NOT_RUN = re.compile(r'\{not-run="[^"]{20,}"\}')
LANGUAGES = {"sh", "yaml", "python", "pycon", "text", "{toctree}", "{eval-rst}"}
# Keys without a default, added to fragments without them.
DEFAULTS = {"data": "{name: digits}", "method": "{name: hinton, alpha: 0.5, temperature: 4}"}


WIDTH = 90  # columns shown without scrolling


class Block(NamedTuple):
    """A fenced block of a page, and its printed output."""

    line: int
    language: str
    info: str
    text: str
    output: str = ""

    @property
    def file(self) -> str:
        """Return the file name in the first line, or an empty string."""
        match = FILE.match(self.text)
        return match[1] if match else ""


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in these languages, or all.

    A block after "It prints:" is the output of the previous block.
    """
    parsed: list[Block] = []
    printed = False
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "inline":
            printed = token.content == "It prints:"
        elif token.type == "fence" and printed:
            parsed[-1] = parsed[-1]._replace(output=token.content)
        elif token.type == "fence":
            language, _, info = token.info.partition(" ")
            parsed.append(Block(token.map[0] + 1, language, info, token.content))
    return [block for block in parsed if not languages or block.language in languages]


def pages(*languages: str, without: tuple[str, ...] = ()) -> list:
    """Return the pages with blocks in one of these languages and none in `without`."""
    selected = [page for page in PAGES if blocks(page, *languages) and not (without and blocks(page, *without))]
    return [pytest.param(page, id=page.relative_to(ROOT / "docs").as_posix()) for page in selected]


def run(page: Path, folder: Path) -> int:
    """Run all blocks of a page in a folder and return their number."""
    ran = 0
    for block in blocks(page, "sh", "yaml", "python", "pycon"):
        location = f"{page}:{block.line}"
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "pycon":
            ran += examples(block, location)
        elif block.language in ("sh", "python") and not block.info:
            ran += program(block, location, folder)
    return ran


def program(block: Block, location: str, folder: Path) -> int:
    """Run shell commands or Python code in a new process."""
    shells = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-W", "error", "-c"]}
    cache = str(folder / "cache")
    environment = {**os.environ, "KD_CACHE": cache, "XDG_CACHE_HOME": cache}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("KD_DATA", None)
    # coreutils' timeout also ends the children of the shell
    command = ["timeout", "--kill-after=20", "1500", *shells[block.language], block.text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{location}\n{block.text}\n{done.stdout}\n{done.stderr}"
    if block.output:
        assert done.stdout == block.output, location
    return 1


def examples(block: Block, location: str) -> int:
    """Check a Python session line by line."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, location, location, block.line)
    failures: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(test, out=failures.append).failed == 0, "".join(failures)
    assert test.examples, location
    return len(test.examples)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return a folder with links to examples/ and spaces/ only."""
    for name in ("examples", "spaces"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", pages("sh"))
def test_every_block_runs_as_printed(page: Path, empty: Path) -> None:
    commands = [block for block in blocks(page, "sh") if not block.info]
    assert run(page, empty) >= len(commands)
    shutil.rmtree(empty / "cache", ignore_errors=True)


@pytest.mark.parametrize("page", pages("python", "pycon", without=("sh",)))
def test_every_example_runs_as_printed(page: Path, empty: Path) -> None:
    assert run(page, empty)


@pytest.fixture
def registries() -> Iterator[None]:
    """Remove what plugins register."""
    with (
        mock.patch.dict(METHODS),
        mock.patch.dict(MODELS),
        mock.patch.dict(DATASETS),
        mock.patch.dict(plugin._loaded_sources),
    ):
        yield


@pytest.mark.parametrize("page", pages("yaml"))
def test_every_yaml_is_a_space(page: Path, tmp_path: Path, monkeypatch, registries) -> None:
    monkeypatch.chdir(tmp_path)
    plugin.register_plugins({block.file: block.text for block in blocks(page, "python") if block.file})
    for block in blocks(page, "yaml"):
        file = tmp_path / f"line_{block.line}.yaml"
        file.write_text(block.text)
        missing = [f"{key}: {value}\n" for key, value in DEFAULTS.items() if key not in read_document(file).tree]
        file.write_text(block.text + "".join(missing))
        for weights in re.findall(r"weights: ([^,}\s]+)", block.text):
            Path(weights).parent.mkdir(parents=True, exist_ok=True)
            Path(weights).touch()
        load_space(file, recipe_problems)


def test_blocks_are_of_known_languages() -> None:
    assert {block.language for page in PAGES for block in blocks(page)} == LANGUAGES


def test_skipped_blocks_have_a_reason() -> None:
    skipped = [block for page in PAGES for block in blocks(page) if block.info]
    assert all(block.language == "sh" and NOT_RUN.fullmatch(block.info) for block in skipped)
    run_elsewhere = [match[1] for block in skipped if (match := RUN_ELSEWHERE.search(block.info))]
    assert all((ROOT / file).is_file() for file in run_elsewhere)
    commands = [block for page in PAGES for block in blocks(page, "sh")]
    assert len(skipped) - len(run_elsewhere) <= len(commands) / 3


def test_code_fits_the_page() -> None:
    lines = [(page, line) for page in PAGES for block in blocks(page) for line in block.text.splitlines()]
    assert not [(page.name, line) for page, line in lines if len(line) > WIDTH]
