"""The console script: one parser for all commands, suggestions, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import search.distil
from search.distil import main

ROOT = Path(__file__).parents[2]


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    """Run a command that exits; return its code, standard output and standard error."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        ("shwo runs/x", "did you mean show?"),
        ("run x.yaml --smoketest", "unknown argument --smoketest; did you mean --smoke-test?"),
        ("check x.yaml --plugn=a.py", "unknown argument --plugn=a.py; did you mean --plugin?"),
        ("compare runs/x --bst", "unknown argument --bst; did you mean --best?"),
        ("spaces lst", "did you mean list?"),
    ],
)
def test_a_misspelled_command_or_flag_gets_a_suggestion(words, suggestion, capsys):
    code, _, error = ended(capsys, *words.split())
    assert code == 2 and error.strip().endswith(suggestion)


def test_the_version_is_that_of_the_package(capsys):
    code, output, _ = ended(capsys, "--version")
    assert code == 0 and output == "distil-search 0.1.0\n"


def test_run_and_check_start_a_search_with_their_flags(monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(search.distil, "start_search", started.append)
    for command in ("run", "check"):
        main([command, "mnist_hinton", "--set", "train.epochs=3"])
    rest = ["mnist_hinton", "--set", "train.epochs=3"]
    assert started == [rest, [*rest, "--check"]]


def test_the_other_commands_are_those_of_the_packages(capsys, tmp_path):
    for words in ("show", "compare", "export"):
        assert main([words, str(tmp_path)]) == 2
        assert capsys.readouterr().err == f"{tmp_path}: not an experiment folder: it holds no space.yaml\n"
    assert main(["spaces", "show", "hinton"]) == 0
    assert capsys.readouterr().out.startswith("hinton, a method")


@pytest.mark.parametrize(("line", "words"), [("distil sh", {"show"}), ("distil run --smo", {"--smoke-test"})])
def test_a_shell_completes_commands_and_flags(line, words, tmp_path):
    file = tmp_path / "completions"
    completion = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9"}
    environment = os.environ | completion | {"_ARGCOMPLETE_STDOUT_FILENAME": str(file), "PYTHONPATH": str(ROOT)}
    code = "import sys; sys.argv = ['distil']; from search.distil import main; main()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=540)
    assert {word.strip() for word in file.read_text().split("\x0b")} == words
