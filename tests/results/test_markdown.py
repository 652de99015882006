from __future__ import annotations

import re

import numpy
import pytest

import results
from results import grids, markdown, records, stats, wording
from results.experiment import load_experiment


def page(folder) -> str:
    loaded = load_experiment(folder)
    grid = loaded.grid()
    assert grid is not None
    return markdown.grid_page(loaded, grid)


def test_the_protocol_stands_above_both_pages(full):
    for text in (page(full), markdown.leaderboard_page(load_experiment(full))):
        above = text.split("|")[0]
        assert "mnist5k" in above and "3,000 / 500 / 1,500 images" in above and "split: stratified, seed 0" in above
        assert "alpha · T² · KL(teacher" in above and "Seeds: 0, 1, 2 (explore)" in above and "Epochs: 4" in above
        assert "float32" in above and "a processor" in above and "2026-01-02" in above and "torch 2.13.0" in above


def test_cells_are_percent_with_deviation_and_n_is_said_once(full):
    text, grid = page(full), grids.make_grid(results.read(full), x="method.temperature", y="method.alpha")
    cells = re.findall(r"(\d\d\.\d\d) ± (\d\.\d\d)", text)
    assert len(cells) == 9
    assert [float(mean) for mean, _ in cells] == pytest.approx(list(100 * grid.mean.ravel()), abs=0.0051)
    assert re.search(r"\*\*(= )?\d\d\.\d\d ± \d\.\d\d\*\*", text)
    assert text.count("**") == 2 and "(3)" not in text and "n = 3 in every cell." in text


def test_n_stands_in_the_cells_where_they_differ_in_it(build):
    made = build()
    made.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 3)
    text = page(made.done())
    assert len(re.findall(r"± \d\.\d\d \(3\)", text)) == 8 and len(re.findall(r"± \d\.\d\d \(4\)", text)) == 1
    assert "n in the cells." in text


def test_a_sentence_in_the_protocol_has_one_full_stop(build):
    made = build()
    known = records.read_environment(made.folder)
    known["data"] |= {"source": "Taken from a package.", "split": "by seed 0."}
    records.save_environment(made.folder, known)
    assert "(Taken from a package); 3,000" in page(made.folder) and "split: by seed 0.\n" in page(made.folder)


def test_findings_are_sentences(full):
    text = page(full)
    assert re.search(r"temperature has a detectable effect \(F\(2,10\)=\d+\.\d\d, p<0\.001\)\.", text)
    assert re.search(r"alpha and temperature have no detectable interaction \(F\(2,10\)", text)
    assert re.search(
        r"− baseline = \+\d\.\d\d points, paired over 3 seeds, 95 % CI \[\+.*\] \(pooled residual of cells", text
    )
    assert "12 degrees of freedom" in text
    assert re.search(r"Bold: the cell that validation chose \(alpha [\d.]+, temperature \d+\)", text)
    assert "`=`: the highest mean and the cells not detectably below it" in text
    assert "over the students' seeds under one teacher" in text


def test_one_seed_has_no_deviation_and_says_why(single):
    text = page(single)
    below = text.split("|")[-1]
    assert "One seed per cell: no cell can be told from another." in below
    assert "±" not in text and "effect" not in below


def test_a_running_experiment_says_so(running):
    assert "The search is not done: 14 of 16 students begun are finished." in page(running)


def test_varied_teachers_are_said(build):
    made = build()
    for seed in (0, 1, 2):
        for alpha in (0.5, 1):
            for heat in (1, 4, 16):
                made.student("explore", {"method.alpha": alpha, "method.temperature": heat}, seed, teacher_seed=1)
    text = page(made.done())
    assert "seeds of student and teacher, which both vary" in text and "Teacher seeds: 0, 1." in text


def test_many_configurations_are_cut_and_counted(build):
    text = markdown.leaderboard_page(load_experiment(build(seeds=(0,), temperatures=tuple(range(1, 21))).done()))
    assert "10 more configurations are in leaderboard.csv." in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + 30 + 2


def test_left_out_students_are_listed(broken):
    assert "| 1 diverged |" in markdown.leaderboard_page(load_experiment(broken))


def test_an_experiment_that_has_not_begun_has_a_page(empty):
    assert "0 of 0 students" in markdown.leaderboard_page(load_experiment(empty().folder))


def test_words():
    assert wording.format_percent(0.98704, 0.0005) == "98.70 ± 0.05"
    assert wording.format_percent(float("nan")) == "–"
    assert [wording.format_label(value) for value in (0.5, 4, 0.00123456, "mlp", True, None)] == (
        ["0.5", "4", "0.001235", "mlp", "True", "–"]
    )
    assert wording.short_name("method.alpha", ["method.alpha", "train.lr"]) == "alpha"
    assert wording.short_name("train.lr", ["teacher.train.lr", "train.lr"]) == "train.lr"
    assert [wording.format_duration(seconds) for seconds in (4.2, 200, 7500)] == ["4.2 s", "3 min 20 s", "2 h 5 min"]
    assert wording.describe_difference(stats.Difference(-0.001, numpy.nan, numpy.nan, 1, 0)).startswith(
        "-0.10 points, over one seed"
    )
