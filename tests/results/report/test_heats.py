from __future__ import annotations

import numpy

from results import experiment as experiments
from results.report.heats import METRICS, heats


def of(folder):
    return heats(experiments.load(folder))


def test_one_heat_map_per_metric_with_the_numbers_of_the_table(full):
    found = of(full)
    assert [heat.metric for heat in found] == list(METRICS)
    table = experiments.table(experiments.load(full))
    assert numpy.allclose(found[0].percent, 100 * table.mean, atol=1e-3)
    assert numpy.allclose(found[1].percent, 100 * table.val_mean, atol=1e-3)
    assert found[0].rows == "alpha" and found[0].column_labels == ["1", "4", "16"]


def test_a_cell_says_its_n_its_deviation_and_whether_it_is_tied(full):
    heat = of(full)[0]
    row, column = heat.best[0]
    assert heat.tips[row][column].splitlines()[0] == f"alpha {heat.row_labels[row]}, temperature 16"
    assert " ± " in heat.tips[row][column] and "(n = 3)" in heat.tips[row][column]
    assert "chosen by validation" in heat.tips[row][column] and "= the highest" in heat.tips[row][column]
    assert "the baseline: trained without a teacher" in heat.tips[0][0] and "= the highest" not in heat.tips[0][0]


def test_a_baseline_has_no_agreement_and_so_no_cell(full):
    experiment = experiments.load(full)
    students = experiment.students
    alone = students["agreement"].where(students["stage"] != "baseline")
    heat = heats(experiment._replace(students=students.assign(agreement=alone)))[-1]
    assert heat.metric == "agreement" and heat.row_labels == ["0.5", "1"]


def test_the_chosen_cell_is_the_same_in_every_metric(full):
    chosen = {(h.row_labels[h.best[0][0]], h.column_labels[h.best[0][1]]) for h in of(full)}
    assert len(chosen) == 1


def test_notes_of_validation_warn_of_the_choice(full):
    found = of(full)
    assert found[0].notes[0].startswith("Outlined: the cell that validation chose")
    assert not any("flattered" in note for note in found[0].notes) and any("flattered" in n for n in found[1].notes)


def test_missing_cells_are_empty(build):
    made = build(seeds=(0,))
    made.student("explore", {"method.alpha": 0.2, "method.temperature": 4}, 0)
    heat = of(made.done())[0]
    row = heat.row_labels.index("0.2")
    assert heat.percent[row][0] is None and heat.texts[row][0] == "–"
    assert heat.tips[row][0] == "alpha 0.2, temperature 1\nno finished student"


def test_without_a_table_there_is_none(tableless):
    assert of(tableless) == []


def test_before_the_first_student_there_is_none(empty):
    assert of(empty(rest="table: {rows: method.alpha, columns: method.temperature}\n").folder) == []
