"""Runs every fault in full and writes what came of it to tests/faults/README.md; fails unless nothing was lost."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEAD = """\
# Faults: what was tried, and what was lost

Written by `make faults`, which does every one of these things to a search and fails unless nothing is lost.
*Tries* are kills, damaged files or inputs; *survived* are those after which the same command ended with every student
that had been written, and, for a grid, with the same numbers and weights as an undisturbed run, to the last bit;
*repeated epochs* are those trained a second time, in all tries together.

{about}

| fault | tries | survived | lost | repeated epochs | seen |
|---|---|---|---|---|---|
"""

TURNS = (["-n", "2", "--dist", "loadfile", "-m", "not alone"], ["-m", "alone"])  # as in `make ci-slow`
NOTHING_CHOSEN = 5  # pytest's exit code


def main(chosen: Sequence[str]) -> int:
    """Run the tests, all of them or those that pytest's own arguments choose, and write the table."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as tallies:
        own = {**os.environ, "KD_FAULTS": tallies.name}
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), *chosen]
        codes = [subprocess.run([*command, *turn], env=own, cwd=HERE.parents[1]).returncode for turn in TURNS]
        code = max(each for each in codes if each != NOTHING_CHOSEN or len(set(codes)) == 1)
        lines = [json.loads(line) for line in tallies]
    (HERE / "README.md").write_text(HEAD.format(about=about()) + "".join(map(row, lines)) + end(code, lines))
    return code or int(any(line["lost"] for line in lines))


def row(line: dict[str, Any]) -> str:
    """One fault as a row of the table."""
    repeated = "–" if line["repeated"] is None else line["repeated"]
    survived = line["tries"] - line["lost"]
    return f"| {line['fault']} | {line['tries']:,} | {survived:,} | {line['lost']} | {repeated} | {line['note']} |\n"


def about() -> str:
    """Where and when, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "torch", "optuna"))
    today = datetime.now(UTC).date()
    return f"{today}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def end(code: int, lines: Sequence[dict[str, Any]]) -> str:
    """Whether it was all of it."""
    lost = sum(line["lost"] for line in lines)
    return (
        f"\n{len(lines)} lines, {lost} lost"
        + ("." if not code else f"; **pytest ended with {code}: not all held.**")
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
