from __future__ import annotations

import struct

import pytest
from matplotlib.figure import Figure

from results.experiment import load_experiment
from results.figures import drawing
from results.figures.drawing import draw_heatmap, draw_learning_curves
from results.figures.heatmaps import heatmap
from results.figures.learning_curves import Curve, LearningCurves, configuration_curves


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_a_heatmap_is_drawn(full):
    experiment = load_experiment(full)
    width, height = size(draw_heatmap(heatmap(experiment, experiment.grid())))
    assert 700 < height < width < 1100  # a column of 3.5 inches, at 300 dots each


def test_a_running_heatmap_is_drawn_with_empty_cells(running):
    experiment = load_experiment(running)
    grid = experiment.grid()
    grid.n[1, 1], grid.mean[1, 1] = 0, float("nan")
    data = heatmap(experiment, grid)
    assert (data.texts[1][1], data.hatched) == ("0 of 3", [(1, 1)])
    size(draw_heatmap(data))
    assert draw_heatmap(data, "pdf") != draw_heatmap(data._replace(hatched=[]), "pdf")


def test_long_labels_widen_a_heatmap(full):
    experiment = load_experiment(full)
    data = heatmap(experiment, experiment.grid())
    long = data._replace(row_labels=[label * 9 for label in data.row_labels])
    assert size(draw_heatmap(long))[0] > size(draw_heatmap(data))[0] + 1000


def test_learning_curves_are_drawn(full, empty):
    for folder in (full, empty().folder):
        experiment = load_experiment(folder)
        size(draw_learning_curves(configuration_curves(experiment, experiment.leaderboard())))


def test_hundreds_of_configurations_are_drawn():
    curves = [Curve("configuration", "", [1, 2, 3], [90.0, 91 + i / 100, 92 + i / 100], []) for i in range(300)]
    size(draw_learning_curves(LearningCurves("title", curves, [], 90, 95, "")))


def test_a_formula_is_not_broken_and_text_has_8_points_at_most():
    title = "Validation accuracy on a data set with a long name, 3,000 training images"
    losses = ["alpha · T² · KL(teacher_T ‖ student_T) + (1 − alpha) · cross-entropy", "cross-entropy"]
    figure = Figure(figsize=(3.5, 3))
    drawing._draw_title(figure, f"{title}\nloss: {'; '.join(losses)}")
    text = figure.get_suptitle()
    assert f"loss: {losses[0]}\n{losses[1]}" in text and text.count("\n") == 2
    assert 6 < figure._suptitle.get_fontsize() < 8


def test_curves_have_a_band_of_the_deviation_over_seeds(full):
    experiment = load_experiment(full)
    curves = configuration_curves(experiment, experiment.leaderboard())
    (chosen,) = [curve for curve in curves.curves if curve.group == "chosen"]
    best = experiment.leaderboard().iloc[0]
    same = experiment.students[experiment.students["method.temperature"] == best["method.temperature"]]
    same = same[same["method.alpha"] == best["method.alpha"]]
    assert chosen.deviation[-1] == pytest.approx(100 * same["val_accuracy"].std())
    assert draw_learning_curves(curves, "pdf").startswith(b"%PDF-")
    assert draw_learning_curves(curves, "pdf") == draw_learning_curves(curves, "pdf")
