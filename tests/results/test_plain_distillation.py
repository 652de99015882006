"""Methods beside plain distillation: differences, their intervals and the sentence."""

from __future__ import annotations

import math

import numpy
import pytest
from scipy import stats as scipy_stats

from results import contrasts, markdown
from results.compared_leaderboard import compared_leaderboard
from results.experiment import load_experiment
from results.plain_distillation import plain_differences, plain_sentence
from results.verdict import experiment_verdict

METHODS = """choice:
    - {name: hinton, alpha: {choice: [0.5, 0.9]}, temperature: 4}
    - {name: dist, alpha: 0.5, temperature: 4}
    - {name: mse, alpha: 0.5}
    - {name: standardized, alpha: 0.5, temperature: 4}
"""
SCORES = {"hinton": 0.90, "dist": 0.92, "mse": 0.87, "standardized": 0.9002}


@pytest.fixture
def compared(tmp_path, synthetic):
    """Return a function that builds a confirmed comparison of methods."""

    def build(seeds=(0, 1, 2, 3, 4), networks=("[8]",), methods=tuple(SCORES)):
        text = synthetic.space(rest="seeds: [9]\nconfirm: {per: method, top: 1, seeds: [0, 1, 2, 3, 4]}\n")
        head, rest = text.split("method: ")
        text = head + "method:\n  " + METHODS + rest.split("\n", 1)[1]
        built = synthetic.Build(tmp_path / "run", text.replace("[784, 784]", "{choice: [[8], [16]]}"))
        for network in networks:
            for method in methods:
                for seed in seeds:
                    values = {"method": method, "student.model.hidden": network}
                    if method == "hinton":
                        values["method.alpha"] = 0.9
                    trial = built.student("confirm", values, seed)
                    score = SCORES[method] + (network == "[16]") * 0.05 + seed / 1000 + built.random.normal(0, 0.001)
                    built.row(trial, kind="end", status="finished", reason=None, test_accuracy=score)
        return load_experiment(built.done())

    return build


def test_better_worse_and_unclear_methods_are_distinguished(compared):
    experiment = compared()
    expected = (
        "Beside plain distillation (hidden [8], method hinton, alpha 0.9), of 3 others: 1 better (dist), 1 worse "
        "(mse), and 1 without a difference shown."
    )
    assert plain_sentence(experiment) == expected and expected in experiment_verdict(experiment).details
    lines = compared_leaderboard(experiment).set_index("method")
    assert math.isnan(lines.loc["hinton", "over_plain"])
    for method in ("dist", "mse", "standardized"):
        gap = lines.loc[method, "test_accuracy"] - lines.loc["hinton", "test_accuracy"]
        assert lines.loc[method, "over_plain"] == pytest.approx(gap)
        assert lines.loc[method, "over_plain_low"] < gap < lines.loc[method, "over_plain_high"]
    text = markdown.leaderboard_page(experiment)
    assert "| gain over plain distillation |" in text and "- Gain over plain distillation: points" in text


def test_each_network_is_compared_with_its_own_plain_distillation(compared):
    experiment = compared(networks=("[8]", "[16]"))
    lines, differences = experiment.leaderboard(), plain_differences(experiment)
    assert len(differences) == 6
    for place, difference in differences.items():
        assert difference.mean == pytest.approx(SCORES[lines.loc[place, "method"]] - 0.90, abs=0.003)
    assert "2 better (hidden [8], method dist; hidden [16], method dist)" in plain_sentence(experiment)


@pytest.mark.parametrize("case", [{"seeds": (0,)}, {"methods": ("dist", "mse")}, {"methods": ("hinton",)}])
def test_without_seeds_or_rivals_nothing_is_said(compared, case):
    experiment = compared(**case)
    assert plain_sentence(experiment) == "" and compared_leaderboard(experiment)["over_plain"].isna().all()


def test_an_experiment_with_one_method_has_no_such_column(full):
    experiment = load_experiment(full)
    assert plain_differences(experiment) == {}
    assert "plain distillation" not in markdown.leaderboard_page(experiment)


def test_intervals_of_two_cells_are_those_of_the_paired_t_test():
    ours, reference = numpy.array([0.91, 0.93, 0.92, 0.95]), numpy.array([0.90, 0.90, 0.91, 0.91])
    cells, blocks = ["ours"] * 4 + ["reference"] * 4, [0, 1, 2, 3] * 2
    difference = contrasts.differences_from("reference", [*ours, *reference], cells, blocks)["ours"]
    expected = scipy_stats.ttest_rel(ours, reference).confidence_interval()
    assert (difference.low, difference.high) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("noisy", [1.0, 3.0])
def test_without_effects_the_intervals_rarely_exclude_zero(noisy):
    random, wrong, experiments = numpy.random.default_rng(1), 0, 400
    cells, blocks = [index // 5 for index in range(40)], [index % 5 for index in range(40)]
    scale = numpy.repeat([1.0, noisy, *[1.0] * 6], 5)
    for _ in range(experiments):
        found = contrasts.differences_from(0, scale * random.normal(size=40), cells, blocks)
        wrong += any(difference.low > 0 or difference.high < 0 for difference in found.values())
    assert wrong / experiments <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / experiments)
