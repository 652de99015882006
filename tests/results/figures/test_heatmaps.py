from __future__ import annotations

import numpy

from results.experiment import load_experiment
from results.figures.heatmaps import METRIC_TITLES, heatmap, heatmaps


def maps_of(folder):
    return heatmaps(load_experiment(folder))


def test_one_heatmap_per_metric_with_the_numbers_of_the_table(full):
    maps = maps_of(full)
    assert [data.metric for data in maps] == list(METRIC_TITLES)
    experiment = load_experiment(full)
    table = experiment.grid()
    assert numpy.allclose(maps[0].percent, 100 * table.mean, atol=1e-3)
    assert numpy.allclose(maps[1].percent, 100 * table.val_mean, atol=1e-3)
    assert (maps[0].rows, maps[0].columns) == ("alpha", "temperature")
    assert (maps[0].row_labels, maps[0].column_labels) == (["0 (baseline)", "0.5", "1"], ["1", "4", "16"])
    assert heatmap(experiment, table) == maps[0]


def test_title_and_caption_name_data_loss_and_n(full):
    data = maps_of(full)[0]
    assert data.title.startswith("Test accuracy (%) on mnist5k, 3,000 training images") and "KL(teacher" in data.title
    assert "n = 3 in every cell" in data.caption and "=: the highest" in data.caption
    assert all("(" not in text for row in data.texts for text in row)


def test_tooltips_contain_n_deviation_and_marks(full):
    data = maps_of(full)[0]
    row, column = data.best[0]
    tip = data.tips[row][column]
    assert tip.splitlines()[0] == f"alpha {data.row_labels[row]}, temperature 16"
    assert " ± " in tip and "(n = 3)" in tip
    assert "chosen by validation" in tip and "= the highest" in tip
    assert "the baseline: trained on labels only" in data.tips[0][0] and "= the highest" not in data.tips[0][0]


def test_a_baseline_has_no_agreement(full):
    experiment = load_experiment(full)
    students = experiment.students
    agreement = students["agreement"].where(students["stage"] != "baseline")
    data = heatmaps(experiment._replace(students=students.assign(agreement=agreement)))[-1]
    assert data.metric == "agreement" and data.row_labels == ["0.5", "1"]


def test_the_chosen_cell_is_the_same_in_every_metric(full):
    chosen = {(data.row_labels[data.best[0][0]], data.column_labels[data.best[0][1]]) for data in maps_of(full)}
    assert len(chosen) == 1


def test_validation_notes_warn_of_selection_bias(full):
    test, validation, *_ = maps_of(full)
    assert test.notes[0].startswith("Outlined:")
    assert not any("biased" in note for note in test.notes) and any("biased" in note for note in validation.notes)


def test_missing_cells_are_empty(build):
    builder = build(seeds=(0,))
    builder.student("explore", {"method.alpha": 0.2, "method.temperature": 4}, 0)
    data = maps_of(builder.done())[0]
    row = data.row_labels.index("0.2")
    assert data.percent[row][0] is None and data.texts[row][0] == "–"
    assert data.tips[row][0] == "alpha 0.2, temperature 1\nno finished student"


def test_no_heatmap_without_a_table(tableless):
    assert maps_of(tableless) == []


def test_no_heatmap_before_the_first_student(empty):
    assert maps_of(empty(rest="table: {rows: method.alpha, columns: method.temperature}\n").folder) == []
