"""The README as printed: its commands run, its links exist, and it stays short."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def commands() -> list[list[str]]:
    """Return the lines of all shell blocks, without comments."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def in_small(words: list[str]) -> list[str]:
    """Return a command for this interpreter; a full search becomes its smoke test in the same folder."""
    words = [*words]
    if words[:3] == ["python", "-m", "search.run"] and not {"--check", "--smoke-test"} & set(words):
        words += ["--smoke-test", "--out", f"runs/{Path(words[3]).stem}"]
    bin_folder = Path(sys.executable).parent
    return [sys.executable if words[0] == "python" else str(bin_folder / words[0]), *words[1:]]


# A newcomer's milestones: a pattern of "COMMAND: LINE OF OUTPUT".
MILESTONES = {
    "first useful line": r".",
    "first table": r"Leaderboard",
    "first exported student": r"^python -m results export .*: .*/export",
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_command_runs_as_printed(tmp_path, capsys):
    """In a folder that holds nothing but the shipped spaces and examples, with empty caches."""
    for folder in ("spaces", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    Image.new("L", (28, 28)).save(tmp_path / "picture.png")
    environment = {**os.environ, "KD_CACHE": str(tmp_path / "cache"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("KD_DATA", None)
    began, reached, ran = time.monotonic(), dict[str, float](), 0
    for words in commands():
        if words[0] in ("make", "tensorboard", "optuna-dashboard"):
            continue
        for line in printed_lines(words, tmp_path, environment):
            for name, pattern in MILESTONES.items():
                if re.search(pattern, f"{shlex.join(words)}: {line}"):
                    reached.setdefault(name, time.monotonic() - began)
        ran += 1
    assert ran >= 7 and list(reached) == list(MILESTONES)
    with capsys.disabled():
        print("\n" + "\n".join(f"{name}: after {seconds:.1f} s" for name, seconds in reached.items()))
    served(next(words for words in commands() if words[0] == "tensorboard"), tmp_path)


def printed_lines(words: list[str], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a command, yield its lines as they are printed, and check its exit code."""
    with (
        open(folder / "errors.txt", "w+") as errors,
        subprocess.Popen(
            in_small(words), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        yield from process.stdout
        assert process.wait() == 0, f"{shlex.join(words)}\n{(folder / 'errors.txt').read_text()}"


def served(words: list[str], folder: Path) -> None:
    """Start TensorBoard as printed, on a free port, and wait until it lists runs."""
    with subprocess.Popen(
        [*in_small(words), "--port", "0", "--host", "127.0.0.1"], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            address = next(match[0] for line in server.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
            for _ in range(600):
                with urllib.request.urlopen(f"{address}/data/runs", timeout=300) as response:
                    if response.read() not in (b"[]", b"[]\n"):
                        return
                time.sleep(0.5)
            pytest.fail("TensorBoard lists no run")
        finally:
            server.terminate()


def test_make_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {words[1] for words in commands() if words[0] == "make"} <= set(targets)


def test_it_is_short_and_fits_a_page():
    assert len(README.splitlines()) <= 150 and len(README.encode()) <= 12 * 1024
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", README, re.DOTALL)).splitlines()
    assert [line for line in blocks if len(line) > 98] == []  # 854 pixels on GitHub
    rows = [line for line in README.splitlines() if line.startswith("|")]
    assert [row for row in rows if row.count("|") > 9] == []


def test_no_block_is_empty():
    marks = re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", README, re.DOTALL)
    assert marks and [name for name, content in marks if not content.strip()] == []


def test_the_smallest_space_is_the_shipped_one():
    shipped = (ROOT / "spaces" / "quickstart.yaml").read_text()
    assert shipped[shipped.index("data:") :] in README


def test_every_linked_file_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links and all((ROOT / link).is_file() for link in links)
