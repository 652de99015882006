"""`python -m results.compare RUN [RUN …]`: what experiments found and what they cost, side by side, as Markdown."""

from __future__ import annotations

import argparse
import sys

import pandas

from results import experiment as experiments
from results import markdown, words
from results.experiment import Experiment
from results.students import knobs
from spaces.errors import UserError

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


def compare(folders: list[str]) -> str:
    """One line per experiment: its best configuration, the baseline, and the student-epochs of all its students.

    Raises UserError for a folder without an experiment, and where the experiments stand on different data.
    """
    found = [experiments.load(folder) for folder in folders]
    data = {tuple(str(each.environment["data"][key]) for key in ("name", "train", "val", "test")) for each in found}
    if len(data) > 1:
        stood = " and ".join(f"{name} ({train} training images)" for name, train, *_ in sorted(data))
        raise UserError(f"{', '.join(folders)}: these stand on different data, {stood}; expected the same for all")
    return "\n".join(markdown.lines([list(HEADS), *map(_line, found)]))


def _line(experiment: Experiment) -> list[str]:
    lines = experiments.leaderboard(experiment)
    ranked, baseline = lines[lines["rank"] == 1], lines[lines["stage"] == "baseline"]
    best = ranked.iloc[0] if len(ranked) else None
    seconds = experiment.environment.get("wall_seconds")
    return [
        experiment.space.name,
        "–" if best is None else _describe(best, knobs(experiment.students)),
        "–" if best is None else words.percent(best["val_accuracy"]),
        "–" if best is None else words.percent(best["test_accuracy"], best["test_std"]),
        "–" if best is None else str(int(best["n"])),
        "–" if baseline.empty else words.percent(baseline.iloc[0]["test_accuracy"], baseline.iloc[0]["test_std"]),
        f"{int(experiment.students['epochs'].sum()):,}",
        words.duration(seconds) if seconds else "not done",
    ]


def _describe(line: pandas.Series, names: list[str]) -> str:
    shown = [f"{words.short(name, names)} {words.label(line[name])}" for name in names]
    return f"{', '.join(shown)} ({line['stage']})"


def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; exit code 2 where there is none to make."""
    parser = argparse.ArgumentParser(prog="python -m results.compare", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="experiment folders on the same data")
    try:
        print(compare(parser.parse_args(arguments).runs))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
