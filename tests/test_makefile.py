"""Targets of the Makefile: what each installs, and by which installer. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUNTIME, DEVELOPMENT = "-c constraints.txt -e .", "-c constraints.txt -e '.[dev]'"


@pytest.fixture
def printed_commands(tmp_path, monkeypatch):
    """Return a function: the commands of a target in a fresh clone, with or without uv."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("make", "sh", "touch", "echo", "bash"):
        (tools / tool).symlink_to(shutil.which(tool) or pytest.skip(f"needs {tool}"))

    def commands(target: str, uv: bool) -> list[str]:
        if uv:
            (tools / "uv").write_text("#!/bin/sh\n")
            (tools / "uv").chmod(0o755)
        environment = {"PATH": str(tools), "HOME": os.environ.get("HOME", "/")}
        done = subprocess.run(["make", "-n", target], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return commands


@pytest.mark.parametrize("uv", [False, True])
def test_a_run_installs_the_runtime_alone_and_says_so_first(printed_commands, uv):
    lines = printed_commands("run", uv)
    installer = "uv pip install" if uv else "-m pip install"
    assert lines[0].startswith('echo "Installing PyTorch, Ray')
    assert [line for line in lines if installer in line and line.endswith(RUNTIME)]
    assert not [line for line in lines if DEVELOPMENT in line] and "search.run" in lines[-1]


def test_a_test_adds_the_development_tools_and_says_so(printed_commands):
    lines = printed_commands("test", False)
    added = next(index for index, line in enumerate(lines) if line.endswith(DEVELOPMENT))
    assert lines[added - 1].startswith('echo "Installing the tools of tests')
    assert any(line.endswith(RUNTIME) for line in lines[:added])


def test_the_named_versions_of_python_are_those_of_the_metadata():
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = [line.rpartition(" ")[2] for line in metadata if "Python :: 3." in line]
    for page in ("README.md", "docs/install.md"):
        text = (ROOT / page).read_text()
        assert versions == ["3.11", "3.12", "3.13"] and "Python 3.11, 3.12 or 3.13" in text
