"""Experiments side by side, whatever their protocols: nothing is ranked, and what differs is a column."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results import experiment as experiments
from results import markdown, wording
from results.compare import protocol
from results.compare import ranked as board
from results.experiment import Experiment

BEST = (
    "experiment",
    "chosen by validation",
    "validation %",
    "test %",
    "n",
    "baseline test %",
    "student-epochs",
    "time",
)
EVERY = ("experiment", "stage", "configuration", "validation %", "test %", "n", "epochs", "parameters")


def best(found: Sequence[Experiment]) -> list[list[str]]:
    """One line per experiment: its best configuration, its baseline, and what all its students took."""
    others = markdown.beside_accuracy(found)
    heads, more = _different(found, (*BEST, *map(markdown.head, others)))
    lines = [
        [*_line(name, experiment, others), *rest]
        for name, experiment, rest in zip(board.names(found), found, more, strict=True)
    ]
    return [heads, *lines]


def _line(name: str, experiment: Experiment, others: Sequence[str]) -> list[str]:
    lines = experiments.leaderboard(experiment)
    ranked, baseline = lines[lines["rank"] == 1], lines[lines["stage"] == "baseline"]
    seconds = experiment.environment.get("wall_seconds")
    return [
        name,
        *(_chosen(experiment, ranked.iloc[0]) if len(ranked) else ["–"] * 4),
        "–" if baseline.empty else wording.percent(baseline.iloc[0]["test_accuracy"], baseline.iloc[0]["test_std"]),
        f"{int(experiment.students['epochs'].sum()):,}",
        wording.duration(seconds) if seconds else "not done",
        *(markdown.text(ranked.iloc[0], each) if len(ranked) else "–" for each in others),
    ]


def _chosen(experiment: Experiment, line: pandas.Series) -> list[str]:
    return [
        f"{wording.configuration(dict(line), experiment.space.knobs)} ({line['stage']})",
        wording.percent(line["val_accuracy"]),
        wording.percent(line["test_accuracy"], line["test_std"]),
        str(int(line["n"])),
    ]


def every(found: Sequence[Experiment]) -> list[list[str]]:
    """One line per configuration, baseline and teacher of every experiment."""
    others = board.beside(found)
    heads, more = _different(found, EVERY)
    rest = dict(zip(board.names(found), more, strict=True))
    lines = [[*_configuration(line, others), *rest[line["experiment"]]] for _, line in board.lines(found).iterrows()]
    return [[*EVERY, *map(markdown.head, others), *heads[len(EVERY) :]], *lines]


def _configuration(line: pandas.Series, others: Sequence[str]) -> list[str]:
    return [
        *board.configuration(line),
        wording.percent(line["val_accuracy"]),
        wording.percent(line["test_accuracy"], line["test_std"]),
        *(f"{int(line[name]):,}" for name in ("n", "epochs", "parameters")),
        *(markdown.text(line, name) for name in others),
    ]


def _different(found: Sequence[Experiment], heads: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The heads with those of the parts of the protocol that differ and are no column yet, and these parts."""
    parts = {part: values for part, values in protocol.differences(found).items() if part not in heads}
    return [*heads, *parts], [list(values) for values in zip(*parts.values(), strict=True)] or [[] for _ in found]
