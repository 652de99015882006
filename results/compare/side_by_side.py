"""Experiments side by side, unranked; differences of protocol are columns."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results import number_columns, wording
from results.compare.joint_leaderboard import configuration_cells, experiment_names, extra_columns, leaderboard_lines
from results.compare.protocol_differences import protocol_differences
from results.compared_leaderboard import compared_leaderboard
from results.experiment import Experiment

BEST_HEADS = (
    "experiment",
    "chosen by validation",
    "validation %",
    "test %",
    "n",
    "baseline test %",
    "student-epochs",
    "time",
)
GAIN_NUMBERS = ("val_accuracy", "test_accuracy", "n", "train_seconds")
CONFIGURATION_HEADS = ("experiment", "stage", "configuration", "validation %", "test %", "n", "epochs", "parameters")


def best_lines(runs: Sequence[Experiment]) -> list[list[str]]:
    """Return one line per experiment: best configuration, baseline and cost.

    The heads come first.
    """
    extra = number_columns.unequal_class_numbers(runs)
    heads, differences = _with_differences(runs, (*BEST_HEADS, *map(number_columns.number_head, extra)))
    lines = [
        [*_experiment_cells(name, run, extra), *parts]
        for name, run, parts in zip(experiment_names(runs), runs, differences, strict=True)
    ]
    return [heads, *lines]


def _experiment_cells(name: str, run: Experiment, extra: Sequence[str]) -> list[str]:
    lines = run.leaderboard()
    ranked, baseline = lines[lines["rank"] == 1], lines[lines["stage"] == "baseline"]
    seconds = run.environment.get("wall_seconds")
    return [
        name,
        *(_chosen_cells(run, ranked.iloc[0]) if len(ranked) else ["–"] * 4),
        "–" if baseline.empty else _test_percent(baseline.iloc[0]),
        f"{int(run.students['epochs'].sum()):,}",
        wording.format_duration(seconds) if seconds else "not done",
        *(number_columns.number_text(ranked.iloc[0], column) if len(ranked) else "–" for column in extra),
    ]


def _chosen_cells(run: Experiment, line: pandas.Series) -> list[str]:
    return [
        f"{wording.format_configuration(dict(line), run.space.knobs)} ({line['stage']})",
        wording.format_percent(line["val_accuracy"]),
        _test_percent(line),
        str(int(line["n"])),
    ]


def _test_percent(line: pandas.Series) -> str:
    return wording.format_percent(line["test_accuracy"], line["test_std"])


def configuration_lines(runs: Sequence[Experiment]) -> list[list[str]]:
    """Return one line per configuration, baseline and teacher of every experiment.

    The heads come first.
    """
    extra = extra_columns(runs)
    heads, differences = _with_differences(runs, CONFIGURATION_HEADS)
    parts = dict(zip(experiment_names(runs), differences, strict=True))
    lines = [
        [*configuration_cells(line, extra), *parts[line["experiment"]]]
        for _, line in leaderboard_lines(runs).iterrows()
    ]
    return [[*CONFIGURATION_HEADS, *map(number_columns.number_head, extra), *heads[len(CONFIGURATION_HEADS) :]], *lines]


def gain_lines(runs: Sequence[Experiment]) -> list[list[str]]:
    """Return one line per ranked configuration and baseline, with gains.

    The heads come first.
    """
    tables = [compared_leaderboard(run) for run in runs]
    gains = [name for name in number_columns.GAIN_HEADS if any(table[name].notna().any() for table in tables)]
    numbers = [*GAIN_NUMBERS[:2], *gains, *GAIN_NUMBERS[2:]]
    lines = [
        [name, *_gain_cells(line, run.space.knobs, numbers)]
        for name, run, table in zip(experiment_names(runs), runs, tables, strict=True)
        for _, line in table[table["rank"].notna() | (table["stage"] == "baseline")].iterrows()
    ]
    heads = ["experiment", "rank", "configuration", *map(number_columns.number_head, numbers)]
    first = 0 if len(runs) > 1 else 1  # one experiment needs no name
    return [line[first:] for line in [heads, *lines]]


def _gain_cells(line: pandas.Series, knobs: list[str], numbers: Sequence[str]) -> list[str]:
    is_ranked = not pandas.isna(line["rank"])
    return [
        str(line["rank"]) if is_ranked else "–",
        wording.format_configuration(dict(line), knobs) if is_ranked else line["stage"],
        *(number_columns.number_text(line, number) for number in numbers),
    ]


def _with_differences(runs: Sequence[Experiment], heads: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and, per experiment, the differing parts of the protocol."""
    parts = {part: values for part, values in protocol_differences(runs).items() if part not in heads}
    return [*heads, *parts], [list(values) for values in zip(*parts.values(), strict=True)] or [[] for _ in runs]
