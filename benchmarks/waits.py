"""Waits beside the training: first line, driver's work per trial, tables, tests; beside a peer if there is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.cluster import TINY
from benchmarks.many_students import measure_driver, processor_seconds, write_space
from benchmarks.search_runs import Search, search_yaml

COMMANDS = {"--help": ["--help"], "--version": ["--version"], "a misspelled flag": ["mnist_hinton", "--smoke-tst"]}
PEER_IMPORTS = "import torch, optuna; from ray import tune"  # of a script with Ray Tune
FEW, MANY = 20, 220  # students with a trial each; the difference is the cost of trials alone
ROOT = Path(__file__).parents[1]
NO_LOGGERS = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}


def answer_seconds() -> dict[str, float]:
    """Return the processor seconds of commands that train nothing, and of a script's imports."""
    commands = {name: ("-m", "search.run", *flags) for name, flags in COMMANDS.items()}
    commands["imports"] = ("-c", PEER_IMPORTS)
    return {name: processor_seconds(*arguments, check=False) for name, arguments in commands.items()}


def first_line_seconds(folder: Path) -> float:
    """Return the seconds until a search has printed its first line."""
    space, start = str(write_space(2, folder)), perf_counter()
    command = [sys.executable, "-m", "search.run", space, "--check", "--out", str(folder / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = perf_counter() - start
        process.stdout.read()
    return seconds


def driver_seconds_per_trial(folder: Path, cache: Path) -> dict[str, float]:
    """Return the driver's processor seconds for a trial: this project's, and plain Tune's without loggers."""
    seconds: dict[str, list[float]] = {"search.run": [], "benchmarks.plain_trials": []}
    for students in (FEW, MANY):
        file = folder / f"{students}.yaml"
        file.write_text(search_yaml(Search(students, pack=1, **TINY)))
        flags = {"search.run": ["--out", str(folder / f"run-{students}")], "benchmarks.plain_trials": []}
        for module, values in seconds.items():
            cost = measure_driver(module, str(file), *flags[module], cache=cache, **NO_LOGGERS)
            values.append(cost.processor)
    own, peer = ((many - few) / (MANY - FEW) for few, many in seconds.values())
    return {"own": own, "peer": peer}


def table_seconds_per_student(few: Path, many: Path) -> float:
    """Return the processor seconds of `python -m results` for each further student of a larger experiment."""
    sizes = [sum(1 for _ in os.scandir(folder / "trials")) for folder in (few, many)]
    seconds = [processor_seconds("-m", "results", str(folder)) for folder in (few, many)]
    return (seconds[1] - seconds[0]) / (sizes[1] - sizes[0])


def fast_suite() -> dict[str, float]:
    """Run `make unit`; return wall and processor seconds, tests, and seconds of the longest ten.

    Raises CalledProcessError if one fails.
    """
    options, start = {"PYTEST_ADDOPTS": "-q --durations=10"}, perf_counter()
    output = subprocess.run(
        ["make", "unit"], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=os.environ | options
    ).stdout
    return {"wall": perf_counter() - start, **suite_figures(output)}


def suite_figures(output: str) -> dict[str, float]:
    """Return processor seconds, passed tests and the seconds of the longest ten from pytest's output."""
    processor, passed = re.search(r"processor time: ([\d.,]+) s", output), re.search(r"(\d+) passed", output)
    if not processor or not passed:
        raise ValueError("pytest printed no summary")
    longest = [float(seconds) for seconds in re.findall(r"^([\d.]+)s (?:setup|call|teardown)", output, re.MULTILINE)]
    return {
        "processor": float(processor[1].replace(",", "")),
        "tests": float(passed[1]),
        "longest": sum(longest),
    }
