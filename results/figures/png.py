"""Heat maps and learning curves as PNG."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from results.figures.heatmaps import Heatmap
from results.figures.learning_curves import Curve, LearningCurves

BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#999999"  # Okabe and Ito (2008): distinct for every kind of color vision
CHARACTERS_PER_INCH = 12  # of a title


def draw_heatmap(data: Heatmap) -> bytes:
    """Draw a heat map; the cells contain mean, deviation and tie mark."""
    percent = numpy.array(data.percent, dtype=float)
    rows, columns = percent.shape
    figure = Figure(figsize=(max(6.0, 1.15 * columns + 2.2), max(3.6, 0.85 * rows + 2.0)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(numpy.ma.masked_invalid(percent), cmap="cividis", aspect="auto")
    axes.set_xticks(range(columns), data.column_labels)
    axes.set_yticks(range(rows), [label.replace(" (", "\n(") for label in data.row_labels])
    axes.set(xlabel=data.columns, ylabel=data.rows)
    axes.set_title(_wrapped_title(data.title, figure), fontsize=10)
    for (row, column), value in numpy.ndenumerate(percent):
        _draw_cell(axes, image, row, column, float(value), data)
    figure.colorbar(image, ax=axes, label=data.name)
    figure.supxlabel(data.caption, fontsize=9)
    return _png_bytes(figure)


def _draw_cell(axes: Any, image: Any, row: int, column: int, value: float, data: Heatmap) -> None:
    best = (row, column) in data.best
    text = data.texts[row][column].replace(" ± ", "\n± ").replace(" (", "\nn=").replace(")", "")
    color = _text_color(image.cmap(image.norm(value))) if numpy.isfinite(value) else "black"
    weight = "bold" if best else "normal"
    axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8.5, weight=weight)
    if best:
        outline = Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, edgecolor=ORANGE, linewidth=3)
        axes.add_patch(outline)


def _text_color(background: tuple[float, ...]) -> str:
    """Return black or white, by the higher contrast (WCAG 2.2, relative luminance)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in background[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def draw_learning_curves(data: LearningCurves) -> bytes:
    """Draw learning curves; the chosen configuration and the baseline are in color."""
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes: Any = figure.subplots()
    configurations = [curve for curve in data.curves if curve.group == "configuration"]
    opacity = max(0.15, 0.7 / (1 + len(configurations) / 30))
    for curve in data.curves:
        if curve.group == "configuration":
            axes.plot(curve.epochs, curve.percent, color=GRAY, alpha=opacity, linewidth=1)
        else:
            _draw_highlight(axes, curve)
    if data.teachers:
        teacher = sum(data.teachers) / len(data.teachers)
        axes.axhline(teacher, color="black", linestyle="--", linewidth=1.2, label=f"teacher ({teacher:.2f})")
    axes.plot([], [], color=GRAY, linewidth=1, label="every configuration, mean over seeds")
    axes.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(data.low, data.high))
    axes.set_title(_wrapped_title(data.title, figure), fontsize=10)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return _png_bytes(figure)


def _draw_highlight(axes: Any, curve: Curve) -> None:
    color = BLUE if curve.group == "chosen" else ORANGE
    label = f"{curve.label} ({curve.percent[-1]:.2f})"
    axes.plot(curve.epochs, curve.percent, color=color, linewidth=2.2, marker="o", markersize=3, label=label)


def _wrapped_title(title: str, figure: Figure) -> str:
    width = int(CHARACTERS_PER_INCH * figure.get_figwidth())
    return "\n".join(part for line in title.splitlines() for part in textwrap.wrap(line, width))


def _png_bytes(figure: Figure) -> bytes:
    # the canvas instead of pyplot: no display is needed, and pyplot would keep the figure in memory
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=140)
    return file.getvalue()
