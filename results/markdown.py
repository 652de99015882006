"""The leaderboard and the table as Markdown, each under the protocol its numbers stand on."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas

from results import experiment as experiments
from results import grids, wording
from results import leaderboard as tables
from results.experiment import Experiment
from results.grids import Grid
from results.students import DIAGNOSIS, knobs

SHOWN = 30
BAR = r"\|"
HEADS = {
    "val_accuracy": "validation %",
    "test_accuracy": "test %",
    "val_macro_f1": "validation macro F1 %",
    "val_auc": "validation AUC %",
    "test_macro_f1": "test macro F1 %",
    "test_auc": "test AUC %",
    "test_f1": "test F1 %",
    "n": "n",
    "epochs": "epochs",
    "parameters": "parameters",
    "macs": "MACs",
    "latency_ms": "latency ms",
    "agreement": "agreement with teacher %",
    "train_seconds": "training s",
    "left_out": "not counted",
}
PLAIN = tuple(name for name in HEADS if name not in tables.UNEVEN)  # where accuracy says enough


def numbers(experiment: Experiment) -> list[str]:
    """The numbers that are shown: F1 and AUC where accuracy alone would mislead, F1 of one class for two classes."""
    classes = len(experiment.environment.get("data", {}).get("classes", ()))
    return [name for name in HEADS if name != "test_f1" or classes == 2] if experiment.uneven else list(PLAIN)


def beside_accuracy(found: Sequence[Experiment]) -> list[str]:
    """F1 and AUC, as far as one of these experiments shows them."""
    shown = {name for each in found for name in numbers(each)}
    return [name for name in HEADS if name in shown and name in tables.UNEVEN]


def protocol(experiment: Experiment) -> list[str]:
    """The lines every number of the experiment has to be read with."""
    known, students = experiment.environment, experiment.students
    data, versions = known.get("data", {}), known.get("versions", {})
    sizes = " / ".join(f"{data.get(part, '?'):,}" for part in ("train", "val", "test")) if "train" in data else "?"
    epochs = ", ".join(str(int(count)) for count in sorted(students["planned_epochs"].dropna().unique()))
    lines = [
        f"Data: {data.get('name', '?')} ({_open(data.get('source', '?'))}); {sizes} images for training / validation / "
        f"test; split: {_open(data.get('split', '?'))}.",
        f"Loss: {known.get('loss', '?')}",
        f"{_seeds(students)} Epochs: {epochs or '?'}; the last epoch counts. Precision: {known.get('precision', '?')}.",
        f"Machine: {known.get('device', '?')}, {known.get('cores', '?')} cores; started {known.get('started', '?')}"
        f"{_wall(experiment)}. Versions: {', '.join(f'{name} {v}' for name, v in versions.items()) or '?'}.",
        "Configurations are chosen on validation; the test images are scored once per finished student and only shown.",
    ]
    return lines + [_state(experiment)] * experiment.running


def _open(sentence: str) -> str:
    """Without its full stop, to go on."""
    return sentence.rstrip().removesuffix(".")


def _seeds(students: pandas.DataFrame) -> str:
    def listed(column: str, stage: str) -> list[str]:
        return [str(int(seed)) for seed in sorted(students.loc[students["stage"] == stage, column].dropna().unique())]

    stages = [f"{', '.join(listed('seed', stage))} ({stage})" for stage in ("explore", "confirm", "baseline")]
    seeds = "; ".join(text for text in stages if not text.startswith(" "))
    teachers = listed("teacher_seed", "explore")
    return f"Seeds: {seeds or '?'}." + (f" Teacher seeds: {', '.join(teachers)}." if len(teachers) > 1 else "")


def _wall(experiment: Experiment) -> str:
    seconds = experiment.environment.get("wall_seconds")
    return f", {wording.duration(seconds)} in all" if seconds is not None else ""


def _state(experiment: Experiment) -> str:
    done = (experiment.students["status"] == "finished").sum()
    return f"**The search is not done: {done} of {len(experiment.students)} students begun are finished.**"


def deviation(students: pandas.DataFrame) -> str:
    """What ± stands for."""
    explored = students[students["stage"] != "baseline"]
    if explored["teacher_seed"].nunique() > 1:
        return "± is the sample standard deviation over the seeds of student and teacher, which both vary."
    over = "± is the sample standard deviation over the students' seeds under one teacher"
    return f"{over}; another teacher may shift them all."


def leaderboard(experiment: Experiment) -> str:
    """leaderboard.md: the best configurations in percent, baseline and teacher marked, the rest counted."""
    lines = experiments.leaderboard(experiment)
    shown = top(lines, SHOWN)
    more = len(lines) - len(shown)
    notes = [
        f"Ranked by {experiment.metric} (mean over seeds), among configurations of the same stage, epochs and n only. "
        + deviation(experiment.students),
        "n counts finished students; those not counted are in the last column.",
    ]
    notes += uneven(experiment)
    notes += [f"{more} more configurations are in leaderboard.csv."] * (more > 0)
    return _page(
        f"{experiment.space.name}: leaderboard", protocol(experiment), board(shown, numbers(experiment)), notes
    )


def uneven(experiment: Experiment) -> list[str]:
    """What F1 and AUC are, where they are shown."""
    shown, classes = numbers(experiment), experiment.environment.get("data", {}).get("classes", ())
    if "test_auc" not in shown:
        return []
    several = "the mean over the classes, each against the rest"
    area = f"of class {classes[1]} against {classes[0]}" if len(classes) == 2 else several
    alone = f"; F1 is that of class {classes[1]}" if "test_f1" in shown else ""
    return [f"Macro F1 is the mean of F1 over the classes{alone}. AUC is taken from probabilities, {area}."]


def top(lines: pandas.DataFrame, most: int) -> pandas.DataFrame:
    """The first so many configurations of a leaderboard, and its baselines and teachers in their places."""
    marked = lines["stage"].isin(["baseline", "teacher", tables.BEHIND])
    return lines.loc[sorted([*lines.index[~marked][:most], *lines.index[marked]])]


def board(lines: pandas.DataFrame, numbers: Sequence[str] = PLAIN) -> list[list[str]]:
    """Lines of a leaderboard as text, the heads first, with the named numbers."""
    others = [name for name in lines.columns if name.startswith(DIAGNOSIS)]
    fixed = {*HEADS, *others, "rank", "stage", "val_loss", "test_std"}
    names, told = [name for name in lines.columns if name not in fixed], [*numbers, *others]
    heads = ["rank", "stage", *(wording.short(name, names) for name in names), *(head(name) for name in told)]
    return [heads, *(_texts(line, names, told) for _, line in lines.iterrows())]


def head(number: str) -> str:
    """The head of a column of numbers: a diagnosis goes by its own name, fractions in percent."""
    said = number.removeprefix(DIAGNOSIS).replace("_", " ")
    return HEADS.get(number) or f"{said} bits" * said.endswith("entropy") or f"{said} %"


def _texts(line: pandas.Series, names: list[str], numbers: Sequence[str]) -> list[str]:
    rank = "–" if pandas.isna(line["rank"]) else str(line["rank"])
    return [rank, line["stage"], *(wording.label(line[name]) for name in names), *(text(line, n) for n in numbers)]


def text(line: pandas.Series, name: str) -> str:
    """One number of a line of the leaderboard as text, in its own unit."""
    value = line[name]
    if name == "left_out" or pandas.isna(value):
        return "–" if pandas.isna(value) else value
    if name == "train_seconds":
        return f"{value:.1f}"
    if name == "latency_ms":
        return f"{value:.3g}"
    if name.endswith("entropy"):
        return f"{value:.2f}"
    if name in tables.WHOLE:
        return f"{int(value):,}"
    return wording.percent(value, line["test_std"] if name == "test_accuracy" else float("nan"))


def table(experiment: Experiment, grid: Grid) -> str:
    """table.md: test accuracy per cell, ties with the best cell, and what the analysis of variance finds."""
    names = knobs(experiment.students)
    rows, columns = wording.short(grid.rows, names), wording.short(grid.columns, names)
    title = f"{experiment.space.name}: test accuracy in % by {rows} and {columns}"
    fixed = ", ".join(f"{name} = {wording.label(value)}" for name, value in grid.fixed.items())
    above = protocol(experiment) + [f"Held at the best configuration by validation: {fixed}."] * bool(fixed)
    heads, *lines = matrix(grid, rows, columns)
    marked = [
        [name, *(f"**{text}**" if best else text for text, best in zip(texts, marks, strict=True))]
        for (name, *texts), marks in zip(lines, grid.best, strict=True)
    ]
    return _page(title, above, [heads, *marked], notes(experiment, grid))


def matrix(grid: Grid, rows: str, columns: str) -> list[list[str]]:
    """The cells of a table as text with their labels, the heads first."""
    lines = [[wording.label(name), *texts] for name, texts in zip(grid.row_labels, wording.cells(grid), strict=True)]
    return [[f"{rows} \\ {columns}", *map(wording.label, grid.column_labels)], *lines]


def notes(experiment: Experiment, grid: Grid) -> list[str]:
    """What stands under a table: how to read it, what can be told apart, how far the baseline is."""
    names = knobs(experiment.students)
    rows, columns = wording.short(grid.rows, names), wording.short(grid.columns, names)
    alone = "One seed per cell: no cell can be told from another."
    spread = deviation(experiment.students) if grid.n.max() > 1 else alone
    lines = [f"Bold: the cell that validation chose ({_best(grid, rows, columns)}). {wording.counts(grid)}. {spread}"]
    if grid.alone.any():
        lines.append(
            "The baseline (no teacher) is what alpha = 0 would train: trained once per seed and shown in all its cells."
        )
    return lines + _findings(experiment, grid, rows, columns)


def _findings(experiment: Experiment, grid: Grid, rows: str, columns: str) -> list[str]:
    gain, effects = grids.gain(grid, experiment.students), grids.effects(grid)
    lines = [f"Best cell ({_best(grid, rows, columns)}) − baseline = {wording.difference(gain)}."] if gain else []
    if (grid.best & grid.alone).any():
        lines.append("No cell is above the baseline on validation.")
    if grid.tied.any():
        lines.append(
            "`=`: the highest mean and the cells not detectably below it (pooled residual of cells × seeds, one-sided "
            "t, Bonferroni-corrected, 5 %); the cell that validation chose need not be among them."
        )
    if effects:
        seeds = "seeds of student and teacher" if grid.members["teacher_seed"].nunique() > 1 else "seeds"
        without = ", without the row of the baseline, where the other knob is inert" if grid.alone.any() else ""
        lines.append(f"Analysis of variance of cells × {seeds}, pooled residual, p Holm-corrected, 5 %{without}:")
    return lines + [wording.effect(effect, rows, columns) for effect in effects]


def _best(grid: Grid, rows: str, columns: str) -> str:
    if (grid.best & grid.alone).any():
        return "the baseline"
    row, column = grids.place(grid)
    return f"{rows} {wording.label(row)}, {columns} {wording.label(column)}"


def _page(title: str, above: list[str], table: list[list[str]], below: list[str]) -> str:
    return "\n".join([f"# {_plain(title)}", "", *_bullets(above), *lines(table), "", *_bullets(below)])


def lines(table: list[list[str]]) -> list[str]:
    """A table, its heads first, as lines of Markdown."""
    head, *rest = (f"| {' | '.join(_plain(cell).replace('|', BAR) for cell in line)} |" for line in table)
    return [head, "|" + " --- |" * len(table[0]), *rest]


def _bullets(lines: list[str]) -> list[str]:
    return [*(f"- {_plain(line)}" for line in lines), ""]


def _plain(text: str) -> str:
    """Words that somebody chose must not become HTML, nor end a line."""
    return re.sub(r"<(?=[a-zA-Z/!?])", r"\\<", " ".join(text.split("\n")))
