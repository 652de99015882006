"""The verdict of experiments of every kind."""

from __future__ import annotations

import io
import itertools

import pytest
from rich.console import Console

from results.experiment import load_experiment
from results.gain import experiment_gain
from results.protocol import student_counts
from results.terminal import print_results
from results.verdict import Verdict, experiment_verdict

ALPHA, HEAT = "method.alpha", "method.temperature"


def verdict(folder) -> Verdict:
    return experiment_verdict(load_experiment(folder))


def test_a_table_has_a_gain_with_its_interval(full):
    result = verdict(full)
    assert result.is_gain and (result.n, result.candidates, result.metric) == (3, 6, "test_accuracy")
    assert result.low is not None and result.gain is not None and result.high is not None
    assert 0.01 < result.low < result.gain < result.high < 0.035
    assert result.sentence.startswith(f"Distillation: +{100 * result.gain:.2f} points over the student alone, 95 % ")
    assert "n = 3: a gain." in result.sentence
    assert result.gap_closed == pytest.approx(result.gain / (0.979 - 0.94), abs=0.15)


def test_a_search_without_a_table_has_the_same_verdict(full, tableless):
    assert verdict(tableless).sentence == verdict(full).sentence


def test_a_choice_among_more_candidates_widens_the_interval(full, build):
    few = build(seeds=(0, 1, 2), alphas=(0, 0.5), temperatures=(1, 16))
    assert verdict(few.done()).candidates == 2
    wide, narrow = verdict(full), verdict(few.folder)
    assert wide.high - wide.low > narrow.high - narrow.low  # type: ignore[operator]


def test_only_confirmed_students_score(confirmed):
    result = verdict(confirmed)
    assert (result.n, result.candidates) == (3, 2)
    assert "a gain" in result.sentence


def test_one_seed_shows_no_gain(single):
    result = verdict(single)
    assert (result.is_gain, result.n, result.low) == (False, 1, None)
    assert "n = 1: without an interval, so no gain is shown" in result.sentence
    assert any(text.startswith("One seed cannot show a gain") for text in result.warnings)


def test_noise_is_not_a_gain(build):
    result = verdict(build(noise=0.5).done())
    assert not result.is_gain and "no gain shown" in result.sentence
    assert any(text.startswith("n = 3 shows only gains above about") for text in result.warnings)


def test_a_loss_is_named(empty):
    built = empty()
    for seed in (0, 1, 2):
        built.student("baseline", {}, seed)
        trial = built.student("explore", {ALPHA: 0.5, HEAT: 4}, seed)
        built.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.5 + seed / 1000)
    result = verdict(built.done())
    assert not result.is_gain and result.sentence.endswith(": a loss.")


def test_nothing_finished_is_no_verdict(empty):
    result = verdict(empty().folder)
    assert result.sentence == "No verdict: no configuration is finished." and result.gain is None


def test_no_baseline_is_no_verdict(empty):
    built = empty()
    built.student("explore", {ALPHA: 0.5, HEAT: 4}, 0)
    result = verdict(built.done())
    assert "no student alone of the same seeds" in result.sentence and result.gain is None and not result.is_gain


def test_the_baseline_had_its_own_best_training_values(tmp_path, synthetic):
    """Alone a student may need another learning rate than distilled."""
    text = synthetic.space(rest="seeds: [0, 1]\n").replace("lr: 0.001", "lr: {choice: [0.001, 0.01]}")
    built = synthetic.Build(tmp_path, text)
    for seed in (0, 1):
        for rate in (0.001, 0.01):
            built.student("explore", {ALPHA: 0.5, HEAT: 4, "train.lr": rate}, seed)
            trial = built.student("baseline", {"train.lr": rate}, seed)
            if rate == 0.01:  # better than any distilled student
                built.epoch(trial, 4, 0.99)
                built.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.98 + seed / 1000)
    result = verdict(built.done())
    assert "best by validation of 2 settings of lr: lr 0.01" in result.baseline


def test_a_searched_baseline_is_named(tmp_path, synthetic):
    rest = "search: {trials: 2}\nbaseline: {trials: 3}\n"
    text = synthetic.space(rest=rest).replace("lr: 0.001", "lr: {loguniform: [0.001, 0.1]}")
    built = synthetic.Build(tmp_path, text)
    for rate in (0.002, 0.004):
        built.student("explore", {ALPHA: 0.5, HEAT: 4, "train.lr": rate}, 0)
    for rate in (0.003, 0.01, 0.03):
        built.student("baseline", {"train.lr": rate}, 0)
    text = "was tuned too, by up to 3 trials of the same search over lr; the best of them by validation: lr 0.0"
    assert text in verdict(built.done()).baseline


def test_failed_students_are_named(broken):
    assert "Of 24 students, 1 failed and 1 diverged." in verdict(broken).warnings


def test_a_teacher_below_its_student_is_named(build):
    built = build()
    record = next((built.folder / "teachers").iterdir())
    record.write_text(record.read_text().replace('"test_accuracy": 0.979', '"test_accuracy": 0.8'))
    result = verdict(built.done())
    assert result.gap_closed is None
    assert any("The teacher (80.00 %) is not better than the student alone" in text for text in result.warnings)


def test_the_end_of_a_range_is_named(full):
    edges = [text for text in verdict(full).warnings if text.startswith("The winner has the highest")]
    assert edges == ["The winner has the highest temperature searched, 16: search beyond it."]


def test_a_knob_without_effect_is_named(full, build):
    assert not any(text.startswith("No effect of") and "temperature" in text for text in verdict(full).warnings)
    (text,) = [text for text in verdict(build(noise=0.5).done()).warnings if text.startswith("No effect of")]
    assert text == "No effect of alpha or temperature found: these students do not distinguish its values."


def test_the_gain_is_paired_over_seeds_and_averaged_over_teachers(empty):
    built = empty()
    for teacher, seed, alpha, heat in itertools.product((0, 1), (0, 1), (0.5, 1), (1, 4)):
        built.student("explore", {ALPHA: alpha, HEAT: heat}, seed, teacher_seed=teacher)
    for seed in (0, 1):
        built.student("baseline", {}, seed)
    gain = experiment_gain(load_experiment(built.done()))
    assert gain is not None and gain.difference is not None
    assert gain.difference.n == 2
    means = [group["test_accuracy"].mean() for group in (gain.students, gain.baselines)]
    assert gain.difference.mean == pytest.approx(means[0] - means[1])


def test_a_progress_line_separates_stopped_and_failed(broken):
    expected = "21 of 24 students finished, 1 stopped early on purpose, 1 diverged, 1 failed"
    assert student_counts(load_experiment(broken).students) == expected


def test_the_terminal_begins_with_the_verdict(tableless):
    experiment, console = load_experiment(tableless), Console(width=200, record=True, file=io.StringIO())
    print_results(experiment, console)
    text = console.export_text().splitlines()
    assert text[0] == experiment_verdict(experiment).sentence
    assert "No table: add table: {rows: method.alpha, columns: method.temperature} to the space." in text
