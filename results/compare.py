"""`python -m results.compare [--every] RUN [RUN …]`: what experiments found, side by side, as Markdown."""

from __future__ import annotations

import argparse
import sys

import pandas

from results import experiment as experiments
from results import markdown, words
from results.experiment import Experiment
from results.students import diagnoses, knobs
from spaces.errors import UserError, told

HEADS = (
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
PROTOCOL = ("name", "split", "train", "val", "test")


def compare(folders: list[str], *, every: bool = False) -> str:
    """One line per experiment: its best configuration, the baseline, and the student-epochs of all its students.

    With `every`, one line per configuration, baseline and teacher. Raises UserError for a folder without an experiment,
    and where the experiments stand on different data.
    """
    found = [experiments.load(folder) for folder in folders]
    data = {tuple(str(each.environment["data"].get(key)) for key in PROTOCOL): each for each in found}
    if len(data) > 1:
        stood = " and ".join(f"{name} ({train} training images; {split})" for name, split, train, *_ in sorted(data))
        raise UserError(f"{', '.join(folders)}: these stand on different data, {stood}; expected the same for all")
    if every:
        return "\n".join(markdown.lines(_board(found)))
    return "\n".join(markdown.lines([list(HEADS), *map(_line, found)]))


def _line(experiment: Experiment) -> list[str]:
    lines = experiments.leaderboard(experiment)
    ranked, baseline = lines[lines["rank"] == 1], lines[lines["stage"] == "baseline"]
    best = ranked.iloc[0] if len(ranked) else None
    seconds = experiment.environment.get("wall_seconds")
    return [
        experiment.space.name,
        "–" if best is None else f"{_describe(best, knobs(experiment.students))} ({best['stage']})",
        "–" if best is None else words.percent(best["val_accuracy"]),
        "–" if best is None else words.percent(best["test_accuracy"], best["test_std"]),
        "–" if best is None else str(int(best["n"])),
        "–" if baseline.empty else words.percent(baseline.iloc[0]["test_accuracy"], baseline.iloc[0]["test_std"]),
        f"{int(experiment.students['epochs'].sum()):,}",
        words.duration(seconds) if seconds else "not done",
    ]


def _board(found: list[Experiment]) -> list[list[str]]:
    """Every line of every leaderboard, under heads that include what only some networks were measured by."""
    others = list(dict.fromkeys(name for each in found for name in diagnoses(each.students)))
    lines = [
        _configuration(experiment, line, others)
        for experiment in found
        for _, line in experiments.leaderboard(experiment).iterrows()
    ]
    return [[*EVERY, *map(markdown.head, others)], *lines]


def _configuration(experiment: Experiment, line: pandas.Series, others: list[str]) -> list[str]:
    return [
        experiment.space.name,
        line["stage"],
        _describe(line, knobs(experiment.students)) or "–",
        words.percent(line["val_accuracy"]),
        words.percent(line["test_accuracy"], line["test_std"]),
        *(f"{int(line[name]):,}" for name in ("n", "epochs", "parameters")),
        *(markdown.text(line, name) if name in line.index else "–" for name in others),
    ]


def _describe(line: pandas.Series, names: list[str]) -> str:
    """The knobs that this line has."""
    known = [name for name in names if not pandas.isna(line[name])]
    return ", ".join(f"{words.short(name, names)} {words.label(line[name])}" for name in known)


@told
def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; exit code 2 where there is none to make."""
    parser = argparse.ArgumentParser(prog="python -m results.compare", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="experiment folders on the same data")
    parser.add_argument("--every", action="store_true", help="a line for every configuration, not the best alone")
    given = parser.parse_args(arguments)
    print(compare(given.runs, every=given.every))
    return 0


if __name__ == "__main__":
    sys.exit(main())
