"""Run every fault in full and write the results to tests/faults/README.md; fail if anything was lost.

Arguments are passed to pytest and select tests; the lines of other tests stay unchanged.
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
TABLE = HERE / "table.jsonl"  # the lines of the table, with their tests
HEAD = """\
# Faults and losses

Written by `make faults`, which applies each fault to a search and fails if anything is lost.
*Tries*: kills, damaged files or inputs. *Survived*: the same command then completed the search with every recorded
student and, for a grid, with the numbers and weights of an undisturbed run, bit for bit. *Repeated epochs*: trained a
second time, in all tries together.

{about}

| fault | tries | survived | lost | repeated epochs | day | result |
|---|---|---|---|---|---|---|
"""

TURNS = (["-n", "2", "--dist", "loadfile", "-m", "not alone"], ["-m", "alone"])  # as in `make ci-slow`
NO_TESTS_COLLECTED = 5  # pytest's exit code
Line = dict[str, Any]


def main(selection: Sequence[str]) -> int:
    """Run all tests, or those selected by pytest arguments, and write the table."""
    old_lines = read(TABLE) if selection and TABLE.exists() else []
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as tallies:
        environment = {**os.environ, "KD_FAULTS": tallies.name}
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), *selection]
        codes = [subprocess.run([*command, *turn], env=environment, cwd=ROOT).returncode for turn in TURNS]
        code = next((code for code in codes if code not in (0, NO_TESTS_COLLECTED)), min(codes))
        new = read(Path(tallies.name))
        if selection and not new:  # such as --help
            return code
        missing = collected_tests(environment, "-m", "slow") - {line["test"] for line in old_lines + new}
        present = collected_tests(environment)
    kept = present - {line["test"] for line in new}
    lines = sorted([line for line in old_lines if line["test"] in kept] + new, key=lambda line: line["fault"])
    TABLE.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (HERE / "README.md").write_text(HEAD.format(about=about()) + "".join(map(row, lines)) + end(code, lines, missing))
    return code or int(bool(missing) or any(line["lost"] for line in lines))


def read(path: Path) -> list[Line]:
    """Return the lines recorded by tests."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def collected_tests(environment: dict[str, str], *selection: str) -> set[str]:
    """Return the ids of tests; each slow one has a line."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *selection, str(HERE)]
    listed = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if "::" in line}


def row(line: Line) -> str:
    """Return one row of the table."""
    repeated = "–" if line["repeated"] is None else line["repeated"]
    numbers = f"{line['tries']:,} | {line['tries'] - line['lost']:,} | {line['lost']} | {repeated}"
    return f"| {line['fault']} | {numbers} | {line['day']} | {line['note']} |\n"


def about() -> str:
    """Return a line about machine and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "torch", "optuna"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}."


def end(code: int, lines: Sequence[Line], missing: set[str]) -> str:
    """Return the last lines: totals, and what is incomplete."""
    sentences = [f"{len(lines)} lines, {sum(line['lost'] for line in lines)} lost."]
    if code:
        sentences.append(f"**pytest ended with {code}: some tests failed.**")
    if missing:
        sentences.append(f"**Not run: {', '.join(sorted(name.rpartition('/')[2] for name in missing))}.**")
    return "\n" + " ".join(sentences) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
