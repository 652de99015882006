"""Runs every fault in full and writes what came of it to tests/faults/README.md; fails unless nothing was lost.

With arguments of pytest's only the tests that they choose are run, and the lines of the others stay as they were.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = HERE / "table.jsonl"  # the lines of the table, each with its test
HEAD = """\
# Faults: what was tried, and what was lost

Written by `make faults`, which does every one of these things to a search and fails unless nothing is lost.
*Tries* are kills, damaged files or inputs; *survived* are those after which the same command ended with every student
that had been written, and, for a grid, with the same numbers and weights as an undisturbed run, to the last bit;
*repeated epochs* are those trained a second time, in all tries together.

{about}

| fault | tries | survived | lost | repeated epochs | day | seen |
|---|---|---|---|---|---|---|
"""

TURNS = (["-n", "2", "--dist", "loadfile", "-m", "not alone"], ["-m", "alone"])  # as in `make ci-slow`
NOTHING_CHOSEN = 5  # pytest's exit code
Line = dict[str, Any]


def main(chosen: Sequence[str]) -> int:
    """Run the tests, all of them or those that pytest's own arguments choose, and write the table."""
    kept = read(KEPT) if chosen and KEPT.exists() else []
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as tallies:
        own = {**os.environ, "KD_FAULTS": tallies.name}
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), *chosen]
        codes = [subprocess.run([*command, *turn], env=own, cwd=ROOT).returncode for turn in TURNS]
        code = next((each for each in codes if each not in (0, NOTHING_CHOSEN)), min(codes))
        new = read(Path(tallies.name))
        if chosen and not new:  # `--help`, say
            return code
        missing = slow(own) - {line["test"] for line in kept + new}
    again = {line["test"] for line in new}
    lines = sorted([line for line in kept if line["test"] not in again] + new, key=lambda line: line["fault"])
    KEPT.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (HERE / "README.md").write_text(HEAD.format(about=about()) + "".join(map(row, lines)) + end(code, lines, missing))
    return code or int(bool(missing) or any(line["lost"] for line in lines))


def read(path: Path) -> list[Line]:
    """The lines that tests have noted."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def slow(environment: dict[str, str]) -> set[str]:
    """The tests that do something to a search, each of which has a line."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "slow", str(HERE)]
    listed = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if "::" in line}


def row(line: Line) -> str:
    """One fault as a row of the table."""
    repeated = "–" if line["repeated"] is None else line["repeated"]
    numbers = f"{line['tries']:,} | {line['tries'] - line['lost']:,} | {line['lost']} | {repeated}"
    return f"| {line['fault']} | {numbers} | {line['day']} | {line['note']} |\n"


def about() -> str:
    """Where, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "torch", "optuna"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def end(code: int, lines: Sequence[Line], missing: set[str]) -> str:
    """Whether it was all of it."""
    said = [f"{len(lines)} lines, {sum(line['lost'] for line in lines)} lost."]
    if code:
        said.append(f"**pytest ended with {code}: not all held.**")
    if missing:
        said.append(f"**Not run: {', '.join(sorted(name.rpartition('/')[2] for name in missing))}.**")
    return "\n" + " ".join(said) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
