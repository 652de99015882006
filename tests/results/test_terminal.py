"""Results on a terminal and in a pipe."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from results.console import results_console
from results.experiment import load_experiment
from results.terminal import next_commands, print_results
from results.verdict import experiment_verdict


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("0", 160), ("wide", 160), (None, 160)])
def test_a_pipe_is_as_wide_as_columns_says(monkeypatch, columns, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert results_console().width == width


def test_the_next_commands_can_be_copied_from_a_narrow_terminal(full, monkeypatch):
    """A long path is broken by the terminal alone, and a path below the current folder is short."""
    console, experiment = Console(file=StringIO(), width=40, force_terminal=True), load_experiment(full)
    print_results(experiment, console)
    assert f"python -m results export {full}\n" in console.file.getvalue()
    monkeypatch.chdir(full.parent)
    assert f"Export the best:     python -m results export {full.name}" in next_commands(experiment)
    monkeypatch.chdir(full)
    assert "TensorBoard:         tensorboard --logdir tensorboard" in next_commands(experiment)


def test_results_end_with_the_verdict_and_the_next_commands(full, empty):
    console = Console(file=StringIO(), width=80)
    experiment = load_experiment(full)
    print_results(experiment, console)
    text = " ".join(console.file.getvalue().split())
    ending = " ".join([experiment_verdict(experiment).sentence, *" ".join(next_commands(experiment)).split()])
    assert text.endswith(ending)
    assert f"python -m results export {full}" in ending and f"tensorboard --logdir {full}/tensorboard" in ending
    assert not any("export" in line for line in next_commands(load_experiment(empty().folder)))
