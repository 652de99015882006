"""The function search.run, and the command that resumes a search."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from search.command_line import RunOptions, command_parser, resume_command

ROOT = Path(__file__).parents[2]

FUNCTION = """
import inspect, search
assert "ray" not in sys.modules
before = search.run
from search import run
assert inspect.isfunction(run) and run is before
"""
AFTER_ALL_MODULES = """
import importlib, pkgutil
for module in pkgutil.walk_packages(search.__path__, "search."):
    if module.name.endswith(".__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        assert module.name == "search.run" and "from search import run" in str(error)
from search import run
assert inspect.isfunction(run) and search.run is run
"""


def test_run_is_a_function_of_the_package():
    """Also after every module was imported: the command search/run.py does not replace it."""
    process = subprocess.run(
        [sys.executable, "-c", "import sys" + FUNCTION + AFTER_ALL_MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--data 'my data' --out 'runs/a b' --plugin a.py --plugin 'b c.py'",
        "--address 127.0.0.1:6379 --smoke-test --insecure-cluster",
    ],
)
def test_the_resume_command_has_the_flags_of_the_first(flags):
    words = ["spaces/my space.yaml", *shlex.split(flags)]
    first = vars(command_parser().parse_args([*words, "--fresh", "--download"]))
    command = shlex.split(resume_command(RunOptions(**first)))
    assert command[:3] == ["python", "-m", "search.run"]
    assert vars(command_parser().parse_args(command[3:])) == first | {"fresh": False, "download": False}
