from __future__ import annotations

import re

import pytest

import results
from results import grids, markdown, records, wording
from results.experiment import load_experiment


def page(folder) -> str:
    loaded = load_experiment(folder)
    grid = loaded.grid()
    assert grid is not None
    return markdown.grid_page(loaded, grid)


def test_both_pages_begin_with_the_verdict_and_the_protocol(full):
    for text in (page(full), markdown.leaderboard_page(load_experiment(full))):
        above = text.split("|")[0]
        assert above.splitlines()[2].startswith("> Distillation: +")
        assert "- Chosen by validation: alpha " in above and "- The student alone has the same network" in above
        assert "mnist5k" in above and "3,000 / 500 / 1,500 images" in above and "split: stratified, seed 0" in above
        assert "alpha · T² · KL(teacher" in above and "Seeds: 0, 1, 2 (explore)" in above and "Epochs: 4" in above
        assert "float32" in above and "a processor" in above and "2026-01-02" in above and "torch 2.13.0" in above


def test_cells_are_percent_with_deviation(full):
    text, grid = page(full), grids.make_grid(results.read(full), x="method.temperature", y="method.alpha")
    cells = re.findall(r"(\d\d\.\d\d) ± (\d\.\d\d)", text)
    assert len(cells) == 9
    assert [float(mean) for mean, _ in cells] == pytest.approx(list(100 * grid.mean.ravel()), abs=0.0051)
    assert re.search(r"\*\*(= )?\d\d\.\d\d ± \d\.\d\d\*\*", text)
    assert text.count("**") == 2 and "(3)" not in text and "n = 3 in every cell." in text


def test_unequal_n_is_shown_in_the_cells(build):
    built = build()
    built.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 3)
    text = page(built.done())
    assert len(re.findall(r"± \d\.\d\d \(3\)", text)) == 8 and len(re.findall(r"± \d\.\d\d \(4\)", text)) == 1
    assert "n in the cells." in text


def test_a_sentence_in_the_protocol_has_one_full_stop(build):
    built = build()
    environment = records.read_environment(built.folder)
    environment["data"] |= {"source": "Taken from a package.", "split": "by seed 0."}
    records.save_environment(built.folder, environment)
    assert "(Taken from a package); 3,000" in page(built.folder) and "split: by seed 0.\n" in page(built.folder)


def test_findings_are_sentences_and_tests_are_folded(full):
    text = page(full)
    words, tests = text.split("<details>\n<summary>How this was tested</summary>\n")
    assert re.search(
        r"- .*Temperature matters \(p < 0\.001\)\. .*No interaction of alpha and temperature found\.", words
    )
    assert re.search(r"Bold: the cell chosen on validation \(alpha [\d.]+, temperature \d+\)", words)
    assert "`=`: the highest mean, and the cells not detectably below it." in words
    assert "over the students' seeds under one teacher" in words
    assert re.search(r"- Temperature: F\(2, 10\) = \d+\.\d\d, p < 0\.001\.", tests)
    assert "Interaction of alpha and temperature: F(2, 10) = " in tests and "Holm-corrected" in tests
    assert "Gain over the student alone: paired over seeds" in tests and "of 6 configurations without any" in tests
    assert "one-sided t with the pooled error variance, Bonferroni-corrected" in tests
    assert tests.rstrip().endswith("</details>")


def test_one_seed_has_no_deviation(single):
    text = page(single)
    below = text.split("|")[-1]
    assert "One seed per cell: no cell can be distinguished from another." in below
    assert "±" not in text and "effect" not in below.lower() and "<details>" not in text


def test_a_running_experiment_is_marked(running):
    assert "The search is not done: 14 of 16 students finished, 2 in training." in page(running)
    planned = {"planned_students": {"explore": 18, "baseline": 2}}
    records.save_environment(running, records.read_environment(running) | planned)
    assert "The search is not done: 14 of 20 students finished, 2 in training." in page(running)


def test_several_teacher_seeds_are_named(build):
    built = build()
    for seed in (0, 1, 2):
        for alpha in (0.5, 1):
            for heat in (1, 4, 16):
                built.student("explore", {"method.alpha": alpha, "method.temperature": heat}, seed, teacher_seed=1)
    text = page(built.done())
    assert "seeds of student and teacher, which both vary" in text and "Teacher seeds: 0, 1." in text


def test_many_configurations_are_cut_and_counted(build):
    text = markdown.leaderboard_page(load_experiment(build(seeds=(0,), temperatures=tuple(range(1, 21))).done()))
    assert "10 more in leaderboard.csv." in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + 30 + 2


def test_two_choices_without_a_table_are_pointed_to_the_key(tableless, full):
    note = "No table: add `table: {rows: method.alpha, columns: method.temperature}` to the space."
    assert f"- {note}\n" in markdown.leaderboard_page(load_experiment(tableless))
    assert "No table" not in markdown.leaderboard_page(load_experiment(full))


def test_a_search_over_ranges_is_not_pointed_to_a_table(mixed):
    assert "No table" not in markdown.leaderboard_page(load_experiment(mixed))


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
    assert [wording.format_points(value) for value in (0.0104, -0.001)] == ["+1.04", "−0.10"]
