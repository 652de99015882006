"""Heat maps and learning curves for a paper, as PNG or PDF.

Text has 8 points at the width of a column; wide tables are wider.
"""

from __future__ import annotations

import io
import textwrap
from typing import Any, Literal

import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from results.figures.heatmaps import Heatmap
from results.figures.learning_curves import Curve, LearningCurves
from results.figures.palette import LIGHT, LIGHT_SCALE

PictureKind = Literal["png", "pdf"]

COLUMN_INCHES = 3.5  # of a page of two columns
CELL_INCHES, ROW_INCHES = 0.56, 0.36  # of a heat map
FONT_POINTS, SMALL_POINTS = 8.0, 7.0
CHARACTER_WIDTH = 0.52  # mean, in units of the font's size
LEGEND_CHARACTERS = 55  # of a line, at the width of a column
DOTS_PER_INCH = 300


def draw_heatmap(data: Heatmap, kind: PictureKind = "png") -> bytes:
    """Draw a heat map; the cells contain mean, deviation and tie mark."""
    percent = numpy.array(data.percent, dtype=float)
    rows, columns = percent.shape
    label_inches = CHARACTER_WIDTH * FONT_POINTS * max(map(len, data.row_labels)) / 72
    width = max(COLUMN_INCHES, CELL_INCHES * columns + label_inches + 1.0)
    figure = Figure(figsize=(width, ROW_INCHES * rows + 1.5), layout="constrained")
    axes = figure.subplots()
    scale = LinearSegmentedColormap.from_list("accuracy", LIGHT_SCALE)
    image = axes.imshow(numpy.ma.masked_invalid(percent), cmap=scale, aspect="auto")
    axes.set_xticks(range(columns), data.column_labels)
    axes.set_yticks(range(rows), [label.replace(" (", "\n(") for label in data.row_labels])
    axes.tick_params(labelsize=FONT_POINTS)
    axes.set_xlabel(data.columns, fontsize=FONT_POINTS)
    axes.set_ylabel(data.rows, fontsize=FONT_POINTS)
    for (row, column), value in numpy.ndenumerate(percent):
        _draw_cell(axes, image, row, column, float(value), data)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label(data.name, fontsize=FONT_POINTS)
    bar.ax.tick_params(labelsize=SMALL_POINTS)
    _draw_title(figure, data.title)
    figure.supxlabel(_wrapped_text(data.caption, figure, SMALL_POINTS), fontsize=SMALL_POINTS)
    return _picture(figure, kind)


def _draw_cell(axes: Any, image: Any, row: int, column: int, value: float, data: Heatmap) -> None:
    best = (row, column) in data.best
    text = data.texts[row][column].replace(" ± ", "\n± ").replace(" (", "\nn=").replace(")", "")
    color = _text_color(image.cmap(image.norm(value))) if numpy.isfinite(value) else "black"
    weight = "bold" if best else "normal"
    if (row, column) in data.hatched:
        hatch = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=LIGHT["line"], linewidth=0)
        hatch.set_hatch("////")
        axes.add_patch(hatch)
    axes.text(column, row, text, ha="center", va="center", color=color, fontsize=SMALL_POINTS, weight=weight)
    if best:
        outline = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, edgecolor=LIGHT["mark"], linewidth=2)
        axes.add_patch(outline)


def _text_color(background: tuple[float, ...]) -> str:
    """Return black or white, by the higher contrast (WCAG 2.2, relative luminance)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def draw_learning_curves(data: LearningCurves, kind: PictureKind = "png") -> bytes:
    """Draw learning curves; the chosen configuration and the baseline are in color.

    Their bands are ± one standard deviation over the seeds.
    """
    figure = Figure(figsize=(COLUMN_INCHES, 3.2), layout="constrained")
    axes: Any = figure.subplots()
    configurations = [curve for curve in data.curves if curve.group == "configuration"]
    opacity = max(0.15, 0.7 / (1 + len(configurations) / 30))
    lines = [list(zip(curve.epochs, curve.percent, strict=True)) for curve in configurations]
    axes.add_collection(LineCollection(lines, colors=LIGHT["finished"], alpha=opacity, linewidths=0.7))
    axes.autoscale_view()
    for curve in data.curves:
        if curve.group != "configuration":
            _draw_highlight(axes, curve)
    if data.teachers:
        teacher = sum(data.teachers) / len(data.teachers)
        axes.axhline(teacher, color=LIGHT["teacher"], linestyle="--", linewidth=1, label=f"teacher ({teacher:.2f})")
    axes.plot([], [], color=LIGHT["finished"], linewidth=0.7, label="every configuration, mean over seeds")
    axes.set_xlabel("epoch", fontsize=FONT_POINTS)
    axes.set_ylabel("validation accuracy (%)", fontsize=FONT_POINTS)
    axes.set_ylim(data.low, data.high)
    axes.tick_params(labelsize=FONT_POINTS)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3, linewidth=0.5)
    _draw_title(figure, data.title)
    figure.legend(loc="outside lower center", ncols=1, fontsize=SMALL_POINTS, frameon=False)
    return _picture(figure, kind)


def _draw_highlight(axes: Any, curve: Curve) -> None:
    color, mean, deviation = LIGHT[curve.group], numpy.array(curve.percent), numpy.array(curve.deviation)
    band = " ± standard deviation" if numpy.isfinite(deviation).any() else ""
    label = "\n".join(textwrap.wrap(f"{curve.label} ({curve.percent[-1]:.2f}){band}", LEGEND_CHARACTERS))
    axes.plot(curve.epochs, mean, color=color, linewidth=1.5, marker="o", markersize=2, label=label)
    if band:
        axes.fill_between(curve.epochs, mean - deviation, mean + deviation, color=color, alpha=0.25, linewidth=0)


def _draw_title(figure: Figure, title: str) -> None:
    """Draw a title with one unbroken formula per line.

    Its last line holds the formulas. The font is made smaller if one is longer than the figure is wide.
    """
    first, _, loss = title.partition("\n")
    formulas = loss.split("; ")
    points = 72 * figure.get_figwidth() / (CHARACTER_WIDTH * max(1, *map(len, formulas)))
    size = min(FONT_POINTS, points)
    lines = [_wrapped_text(first, figure, size), *formulas]
    figure.suptitle("\n".join(lines), fontsize=size)


def _wrapped_text(text: str, figure: Figure, points: float) -> str:
    width = int(72 * figure.get_figwidth() / (CHARACTER_WIDTH * points))
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, width))


def _picture(figure: Figure, kind: PictureKind) -> bytes:
    # the canvas instead of pyplot: no display is needed, and pyplot would keep the figure in memory
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    undated = {"CreationDate": None} if kind == "pdf" else None
    figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=undated)
    return file.getvalue()
