from __future__ import annotations

import struct

from results.experiment import load_experiment
from results.figures.heatmaps import heatmap
from results.figures.learning_curves import Curve, LearningCurves, configuration_curves
from results.figures.png import draw_heatmap, draw_learning_curves


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_a_heatmap_is_drawn(full):
    experiment = load_experiment(full)
    width, height = size(draw_heatmap(heatmap(experiment, experiment.grid())))
    assert 600 < height < width < 1600


def test_a_running_heatmap_is_drawn_with_empty_cells(running):
    experiment = load_experiment(running)
    grid = experiment.grid()
    grid.n[1, 1], grid.mean[1, 1] = 0, float("nan")
    data = heatmap(experiment, grid)
    assert data.texts[1][1] == "–"
    size(draw_heatmap(data))


def test_learning_curves_are_drawn(full, empty):
    for folder in (full, empty().folder):
        experiment = load_experiment(folder)
        size(draw_learning_curves(configuration_curves(experiment, experiment.leaderboard())))


def test_hundreds_of_configurations_are_drawn():
    curves = [Curve("configuration", "", [1, 2, 3], [90.0, 91 + i / 100, 92 + i / 100], []) for i in range(300)]
    size(draw_learning_curves(LearningCurves("title", curves, [], 90, 95, "")))
