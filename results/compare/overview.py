"""`python -m results.compare.overview`: every experiment in one table, as published and as run here, a line each.

`--keep RUN` first notes what a run found in docs/published/measured.csv, so that the table outlives its folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

from results import experiment as experiments
from results import markdown, records, wording
from results.experiment import Experiment
from spaces.errors import UserError, exits_on_user_error

PUBLISHED, MEASURED = Path("docs/published/experiments.csv"), Path("docs/published/measured.csv")
WHO = ("teacher", "alone", "distilled")
KEPT = ("experiment", *WHO, "n", "images", "device", "time")
HEADS = ("experiment", "source", "teacher %", "alone %", "distilled %", "n", "images", "device, day", "time")


def found(experiment: Experiment) -> dict[str, str]:
    """What a finished run found, as text: its best configuration by validation, that one's baseline, its teachers."""
    if experiment.running:
        raise UserError(f"{experiment.folder}: not finished; run its command again to go on")
    lines, knobs = experiments.leaderboard(experiment), experiment.space.knobs
    ranked = lines[lines["rank"] == 1]
    if ranked.empty:
        raise UserError(f"{experiment.folder}: no student was ranked")
    best = ranked.iloc[0]
    about, data = experiment.environment, experiment.environment["data"]
    return {
        "experiment": experiment.space.name,
        "teacher": _range(lines[lines["stage"] == "teacher"]),
        "alone": _range(_fitting(lines[lines["stage"] == "baseline"], best, knobs)),
        "distilled": wording.percent(best["test_accuracy"], best["test_std"]),
        "n": str(int(best["n"])),
        "images": f"{data['name']}: {data['train']:,} / {data['val']:,} / {data['test']:,}",
        "device": f"{about['device']}, {about['cores']} cores, {about['started'][:10]}",
        "time": wording.duration(about["wall_seconds"]),
    }


def _fitting(lines: pandas.DataFrame, best: pandas.Series, knobs: Sequence[str]) -> pandas.DataFrame:
    """The lines that have the best one's values of all the knobs that they have themselves."""
    names = [name for name in knobs if name in lines and name != "method.alpha"]
    same = [all(pandas.isna(line[name]) or line[name] == best[name] for name in names) for _, line in lines.iterrows()]
    return lines[same]


def _range(lines: pandas.DataFrame) -> str:
    """The accuracy of one line, the lowest and the highest of several, a dash for none."""
    if len(lines) == 1:
        return wording.percent(lines.iloc[0]["test_accuracy"], lines.iloc[0]["test_std"])
    accuracies = lines["test_accuracy"].dropna()
    return f"{wording.percent(accuracies.min())} to {wording.percent(accuracies.max())}" if len(accuracies) else "–"


def keep(experiment: Experiment, file: Path) -> None:
    """Write what a run found over what the file says of that experiment, or below."""
    own = found(experiment)
    lines = {line["experiment"]: line for line in _read(file)} if file.is_file() else {}
    lines[own["experiment"]] = own
    table = pandas.DataFrame(list(lines.values()), columns=pandas.Index(KEPT))
    records.replace(file, table.to_csv(index=False))


def overview(published: Path, measured: Path) -> str:
    """The table as Markdown: ours, and after a bar what was published; what was not run says what that needs."""
    ours = {line["experiment"]: line for line in _read(measured)}
    theirs = _read(published)
    if unknown := ours.keys() - {line["experiment"] for line in theirs}:
        raise UserError(f"{published}: has no line for {min(unknown)}, which {measured} has")
    return "\n".join(markdown.lines([list(HEADS), *(_line(line, ours.get(line["experiment"])) for line in theirs)]))


def _line(published: dict[str, str], own: dict[str, str] | None) -> list[str]:
    cells = [f"{own[who] if own else '–'} | {published[who] or '–'}" for who in WHO]
    rest = [own[name] for name in KEPT[4:]] if own else ["–", f"not run: needs {published['needs']}", "–", "–"]
    return [published["experiment"], published["source"] or "–", *cells, *rest]


def _read(file: Path) -> list[dict[str, str]]:
    """The lines of a file of text cells; those that start with # are notes."""
    table = pandas.read_csv(file, comment="#", dtype=str, keep_default_na=False)
    return [{str(name): cell for name, cell in line.items()} for line in table.to_dict("records")]


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; exit code 2 where a folder is no finished experiment."""
    parser = argparse.ArgumentParser(prog="python -m results.compare.overview", description=__doc__)
    parser.add_argument("--keep", metavar="RUN", help="an experiment folder whose numbers are to be noted first")
    parser.add_argument("--published", metavar="FILE.csv", type=Path, default=PUBLISHED)
    parser.add_argument("--measured", metavar="FILE.csv", type=Path, default=MEASURED)
    given = parser.parse_args(arguments)
    if given.keep:
        keep(experiments.load(given.keep), given.measured)
    print(overview(given.published, given.measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
