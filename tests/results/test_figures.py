"""On the data of the pictures; that a picture is a picture is checked by its size."""

from __future__ import annotations

import struct

import pytest

from results import experiment, figures


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_a_heat_map_shows_the_cells_of_the_table(full):
    loaded = experiment.load(full)
    grid = experiment.table(loaded)
    assert grid is not None
    data = figures.heat(loaded, grid)
    assert data.percent == pytest.approx(100 * grid.mean)
    assert (data.rows, data.columns) == ("alpha", "temperature")
    assert data.row_labels == ["0\n(baseline)", "0.5", "1"]
    assert "mnist5k" in data.title and "KL(teacher" in data.title
    row, column = 1, 0
    assert data.texts[row][column].split("\n")[0].removeprefix("= ") == f"{100 * grid.mean[row, column]:.2f}"
    assert all("n=" not in text and "±" in text for line in data.texts for text in line)
    assert "n = 3 in every cell" in data.caption and "=: the highest" in data.caption
    width, height = size(figures.draw_heat(data))
    assert 600 < height < width < 1600


def test_a_running_heat_map_is_drawn_with_its_holes(running):
    loaded = experiment.load(running)
    grid = experiment.table(loaded)
    assert grid is not None
    grid.n[1, 1], grid.mean[1, 1] = 0, float("nan")
    data = figures.heat(loaded, grid)
    assert data.texts[1][1] == "–"
    size(figures.draw_heat(data))


def test_curves_are_means_over_seeds_with_best_baseline_and_teacher(full):
    loaded = experiment.load(full)
    data = figures.curves(loaded)
    kinds = [line.kind for line in data.lines]
    assert (kinds.count("configuration"), kinds.count("best"), kinds.count("baseline")) == (7, 1, 1)
    assert data.teacher == pytest.approx(98.0)
    best = next(line for line in data.lines if line.kind == "best")
    lines = experiment.leaderboard(loaded)
    assert best.epochs == [1, 2, 3, 4] and best.percent[-1] == pytest.approx(100 * lines.iloc[0]["val_accuracy"])
    assert "temperature" in best.label
    size(figures.draw_curves(data))


def test_a_mean_ends_where_a_seed_ends(build):
    made = build(seeds=(0,))
    made.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 1, "stopped", epochs=2)
    lines = figures.curves(experiment.load(made.folder)).lines
    assert sorted(len(line.epochs) for line in lines if line.kind == "configuration") == [2, 4, 4, 4, 4, 4, 4]


def test_nothing_begun_is_an_empty_picture(empty):
    data = figures.curves(experiment.load(empty().folder))
    assert data.lines == []
    size(figures.draw_curves(data))


def test_hundreds_of_configurations_are_drawn(build):
    lines = [figures.Line("configuration", "", [1, 2, 3], [90.0, 91 + i / 100, 92 + i / 100]) for i in range(300)]
    size(figures.draw_curves(figures.Curves("title", lines, None)))
