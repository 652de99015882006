"""`python -m results.compare.overview`: one row per experiment, measured beside published accuracies.

`--keep RUN` first records the results of a run in docs/published/measured.csv. `--only NAME …` prints a short table of
measured accuracies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

from results import markdown, records, wording
from results.experiment import Experiment, load_experiment
from spaces.errors import UserError, exits_on_user_error

PUBLISHED, MEASURED = Path("docs/published/experiments.csv"), Path("docs/published/measured.csv")
ACCURACIES = ("teacher", "alone", "distilled")  # columns of both files; "alone" is the baseline
COLUMNS = ("experiment", *ACCURACIES, "n", "images", "device", "time")  # of MEASURED
SHORT_COLUMNS = (*ACCURACIES, "n")
HEADS = ("experiment", "source", "teacher %", "baseline %", "distilled %", "n", "images", "device, day", "time")


def run_summary(experiment: Experiment) -> dict[str, str]:
    """Return test accuracies and conditions of a finished run as text.

    The accuracies are those of the teachers, of the best configuration by validation and of its baseline.
    """
    if experiment.running:
        raise UserError(f"{experiment.folder}: not finished; repeat its command to continue")
    lines, knobs = experiment.leaderboard(), experiment.space.knobs
    ranked = lines[lines["rank"] == 1]
    if ranked.empty:
        raise UserError(f"{experiment.folder}: no configuration is ranked")
    best = ranked.iloc[0]
    environment, data = experiment.environment, experiment.environment["data"]
    return {
        "experiment": experiment.space.name,
        "teacher": _accuracy_range(lines[lines["stage"] == "teacher"]),
        "alone": _accuracy_range(_matching_lines(lines[lines["stage"] == "baseline"], best, knobs)),
        "distilled": wording.format_percent(best["test_accuracy"], best["test_std"]),
        "n": str(int(best["n"])),
        "images": f"{data['name']}: {data['train']:,} / {data['val']:,} / {data['test']:,}",
        "device": f"{environment['device']}, {environment['cores']} cores, {environment['started'][:10]}",
        "time": wording.format_duration(environment["wall_seconds"]),
    }


def _matching_lines(lines: pandas.DataFrame, best: pandas.Series, knobs: Sequence[str]) -> pandas.DataFrame:
    """Return the lines with the knob values of `best`."""
    names = [name for name in knobs if name in lines and not name.startswith("method.")]
    same = [all(pandas.isna(line[name]) or line[name] == best[name] for name in names) for _, line in lines.iterrows()]
    return lines[same]


def _accuracy_range(lines: pandas.DataFrame) -> str:
    """Return the accuracy of one line, or the range over several."""
    if len(lines) == 1:
        return wording.format_percent(lines.iloc[0]["test_accuracy"], lines.iloc[0]["test_std"])
    accuracies = lines["test_accuracy"].dropna()
    if accuracies.empty:
        return "–"
    return f"{wording.format_percent(accuracies.min())} to {wording.format_percent(accuracies.max())}"


def record_run(experiment: Experiment, file: Path) -> None:
    """Add a run to the file, or replace its line."""
    row = run_summary(experiment)
    lines = {line["experiment"]: line for line in _read_text_cells(file)} if file.is_file() else {}
    lines[row["experiment"]] = row
    table = pandas.DataFrame(list(lines.values()), columns=pandas.Index(COLUMNS))
    records.write_file(file, table.to_csv(index=False))


def overview_table(published: Path, measured: Path) -> str:
    """Return the table as Markdown, each cell `measured | published`."""
    runs = {line["experiment"]: line for line in _read_text_cells(measured)}
    papers = _read_text_cells(published)
    if missing := runs.keys() - {line["experiment"] for line in papers}:
        raise UserError(f"{published}: no line for {min(missing)}, which is in {measured}; add one")
    rows = [_overview_row(line, runs.get(line["experiment"])) for line in papers]
    return "\n".join(markdown.table_lines([list(HEADS), *rows]))


def short_table(measured: Path, names: Sequence[str]) -> str:
    """Return measured accuracies of some experiments as Markdown."""
    runs = {line["experiment"]: line for line in _read_text_cells(measured)}
    if missing := [name for name in names if name not in runs]:
        raise UserError(f"{measured}: no line for {missing[0]}; record its run with --keep")
    rows = [[name, *(runs[name][column] for column in SHORT_COLUMNS)] for name in names]
    return "\n".join(markdown.table_lines([["experiment", "teacher", "baseline", "distilled", "n"], *rows]))


def _overview_row(published: dict[str, str], run: dict[str, str] | None) -> list[str]:
    cells = [f"{run[name] if run else '–'} | {published[name] or '–'}" for name in ACCURACIES]
    conditions = [run[name] for name in COLUMNS[4:]] if run else ["–", f"not run: needs {published['needs']}", "–", "–"]
    return [published["experiment"], published["source"] or "–", *cells, *conditions]


def _read_text_cells(file: Path) -> list[dict[str, str]]:
    """Read a CSV file as text, without comment lines (#)."""
    table = pandas.read_csv(file, comment="#", dtype=str, keep_default_na=False)
    return [{str(name): cell for name, cell in line.items()} for line in table.to_dict("records")]


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 2 on a user error."""
    parser = argparse.ArgumentParser(prog="python -m results.compare.overview", description=__doc__)
    parser.add_argument("--keep", metavar="RUN", help="an experiment folder; record its results first")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="print only these experiments, as measured")
    parser.add_argument("--published", metavar="FILE.csv", type=Path, default=PUBLISHED)
    parser.add_argument("--measured", metavar="FILE.csv", type=Path, default=MEASURED)
    options = parser.parse_args(arguments)
    if options.keep:
        record_run(load_experiment(options.keep), options.measured)
    if options.only:
        print(short_table(options.measured, options.only))
    else:
        print(overview_table(options.published, options.measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
