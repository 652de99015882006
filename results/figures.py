"""Pictures of an experiment: the data of each first, its drawing second."""

from __future__ import annotations

import io
import textwrap
from typing import NamedTuple

import numpy
import pandas
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from results import experiment as experiments
from results import grids, leaderboard, wording
from results.experiment import Experiment
from results.grids import Grid
from results.students import knobs

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"  # Okabe and Ito (2008): apart for every kind of color vision


class Heat(NamedTuple):
    """A heat map: percent [rows, columns] and the text of each cell."""

    title: str
    rows: str
    columns: str
    row_labels: list[str]
    column_labels: list[str]
    percent: numpy.ndarray
    texts: list[list[str]]
    best: numpy.ndarray
    caption: str


class Line(NamedTuple):
    """Validation accuracy in percent after each of `epochs`, the mean over a configuration's seeds."""

    kind: str
    label: str
    epochs: list[int]
    percent: list[float]


class Curves(NamedTuple):
    """Learning curves: one line per configuration; the teacher's final validation accuracy in percent, or None."""

    title: str
    lines: list[Line]
    teacher: float | None


def heat(experiment: Experiment, table: Grid) -> Heat:
    """The data of the heat map of a table."""
    names = knobs(experiment.students)
    rows, columns = wording.short(table.rows, names), wording.short(table.columns, names)
    return Heat(
        title=_title(experiment, "Test accuracy (%)"),
        rows=rows,
        columns=columns,
        row_labels=_row_labels(table),
        column_labels=[wording.label(value) for value in table.column_labels],
        percent=100 * table.mean,
        texts=[[_lines(text) for text in line] for line in wording.cells(table)],
        best=table.best,
        caption=f"{wording.counts(table)}; ±: standard deviation over seeds; outlined: chosen by validation"
        + "\n=: the highest and what is not detectably below it (5 %)" * bool(table.tied.any()),
    )


def _row_labels(table: Grid) -> list[str]:
    """The rows, the one that stands for the baseline by name."""
    return [
        wording.label(value) + "\n(baseline)" * bool(alone.any() and alone.all())
        for value, alone in zip(table.row_labels, table.alone, strict=True)
    ]


def _lines(text: str) -> str:
    return text.replace(" ± ", "\n± ").replace(" (", "\nn=").replace(")", "") if text != "–" else text


def _title(experiment: Experiment, what: str) -> str:
    data, loss = experiment.environment.get("data", {}), experiment.environment.get("loss", "?")
    size = f"{data['train']:,} training images" if "train" in data else "?"
    return f"{what} on {data.get('name', '?')}, {size}\n" + "\n".join(textwrap.wrap(f"loss: {loss}", 100))


def curves(experiment: Experiment) -> Curves:
    """The data of the learning curves; students that diverged or failed are left out."""
    students = experiment.students[~experiment.students["status"].isin(["diverged", "failed"])]
    lines = [_line("configuration", "", group, experiment) for group in leaderboard.configurations(students)]
    found = [line for line in [*lines, *_highlights(experiment, students)] if line.epochs]
    scores = [teacher["val_accuracy"] for teacher in experiment.teachers.values() if teacher.get("val_accuracy")]
    return Curves(_title(experiment, "Validation accuracy"), found, 100 * sum(scores) / len(scores) if scores else None)


def _highlights(experiment: Experiment, students: pandas.DataFrame) -> list[Line]:
    ranked = experiments.leaderboard(experiment)
    ranked = ranked[ranked["rank"].notna()]
    if not len(ranked):
        return []
    names = knobs(students)
    values = dict(ranked.iloc[0][names])
    best = leaderboard.matching(students, dict(ranked.iloc[0][["stage", *names]]))
    chosen = ", ".join(
        f"{wording.short(name, names)} {wording.label(v)}" for name, v in values.items() if pandas.notna(v)
    )
    alone = grids.reference(students, values)
    return [_line("baseline", "baseline", alone, experiment), _line("best", f"best: {chosen}", best, experiment)]


def _line(kind: str, label: str, group: pandas.DataFrame, experiment: Experiment) -> Line:
    seen = experiment.epochs[experiment.epochs["trial"].isin(group["trial"])]
    score = seen.groupby("epoch")["val_accuracy"]
    # where some seeds have not come this far, a mean over the others would jump
    mean = score.mean()[score.count() == len(group)]
    return Line(kind, label, [int(epoch) for epoch in mean.index], [100 * float(value) for value in mean])


def draw_heat(data: Heat) -> bytes:
    """A heat map as PNG, cells with mean, deviation and tie mark."""
    rows, columns = data.percent.shape
    figure = Figure(figsize=(max(6.0, 1.15 * columns + 2.2), max(3.6, 0.85 * rows + 2.0)), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(numpy.ma.masked_invalid(data.percent), cmap="cividis", aspect="auto")
    axes.set_xticks(range(columns), data.column_labels)
    axes.set_yticks(range(rows), data.row_labels)
    axes.set(xlabel=data.columns, ylabel=data.rows)
    axes.set_title(data.title, fontsize=10)
    _write_cells(axes, data, shown)
    figure.colorbar(shown, ax=axes, label="test accuracy (%)")
    figure.supxlabel(data.caption, fontsize=9)
    return _png(figure)


def _write_cells(axes, data: Heat, shown) -> None:
    for (row, column), value in numpy.ndenumerate(data.percent):
        text, best = data.texts[row][column], data.best[row, column]
        color = _ink(shown.cmap(shown.norm(value))) if numpy.isfinite(value) else "black"
        weight = "bold" if best else "normal"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8.5, weight=weight)
        if best:
            outline = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, edgecolor=ORANGE, linewidth=3)
            axes.add_patch(outline)


def _ink(ground: tuple[float, ...]) -> str:
    """Black or white, whichever stands out more from a color: WCAG 2.2, relative luminance and contrast."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ground[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def draw_curves(data: Curves) -> bytes:
    """Learning curves as PNG: all configurations faint, the best and the baseline in color, the teacher dashed."""
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes = figure.subplots()
    plain = [line for line in data.lines if line.kind == "configuration"]
    for line in plain:
        axes.plot(line.epochs, line.percent, color=GREY, alpha=max(0.15, 0.7 / (1 + len(plain) / 30)), linewidth=1)
    for line in data.lines:
        if line.kind != "configuration":
            color = BLUE if line.kind == "best" else ORANGE
            axes.plot(
                line.epochs, line.percent, color=color, linewidth=2.2, marker="o", markersize=3, label=_named(line)
            )
    if data.teacher is not None:
        axes.axhline(data.teacher, color="black", linestyle="--", linewidth=1.2, label=f"teacher ({data.teacher:.2f})")
    _frame(axes, data)
    return _png(figure)


def _named(line: Line) -> str:
    return f"{line.label} ({line.percent[-1]:.2f})"


def _frame(axes, data: Curves) -> None:
    axes.plot([], [], color=GREY, linewidth=1, label="every configuration, mean over seeds")
    axes.set(xlabel="epoch", ylabel="validation accuracy (%)")
    axes.set_title(data.title, fontsize=10)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    low, high = _limits(data)
    axes.set_ylim(low, high)


def _limits(data: Curves) -> tuple[float, float]:
    """Where the curves differ: the first epochs and lines far below the rest may leave the picture."""
    values = [value for line in data.lines for value in line.percent]
    if not values:
        return 0.0, 100.0
    late = [value for line in data.lines for value in line.percent[len(line.percent) // 4 :]]
    top = max([*values, data.teacher or 0.0])
    marked = [line.percent[-1] for line in data.lines if line.kind != "configuration"]
    low = min([float(numpy.quantile(late, 0.02)), *marked])
    margin = 0.05 * (top - low) + 0.05
    return low - margin, min(100.0, top + margin)


def _png(figure: Figure) -> bytes:
    # the canvas itself and not pyplot: no display, no figures kept alive behind a library's back
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=140)
    return file.getvalue()
