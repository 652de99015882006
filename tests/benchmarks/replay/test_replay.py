"""Replay of searches on tables: format, honesty of the numbers, and the product's own rules."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.replay import __main__ as command
from benchmarks.replay.guesses import with_guess
from benchmarks.replay.make import make_table
from benchmarks.replay.measure import BUDGETS, mean_and_error, measure_variants
from benchmarks.replay.simulate import NearestConfiguration, explore, split_seeds
from benchmarks.replay.table import read_table
from spaces.errors import UserError
from spaces.search_section import Search

SPACE = """\
data: {name: digits}
teacher: {model: {name: mlp, hidden: [8]}, train: {epochs: 1}}
student: {model: {name: mlp, hidden: {choice: [[4], [8]]}}}
method: {choice: [{name: none}, {name: hinton, alpha: {uniform: [0.1, 1]}, temperature: 2}]}
train: {epochs: 2, lr: {loguniform: [1e-3, 1e-1]}}
search: {algorithm: random, trials: 6}
"""


def test_a_table_without_noise_is_searched_to_its_best(write_table_file):
    """Every choice of a search that sees the whole table is the best one, and its number is right."""
    table = read_table(write_table_file())
    searches = [Search(algorithm="random", scheduler=name, trials=60) for name in ("none", "asha")]
    outcomes = list(measure_variants(table, searches, ["none", "2 × 2"], 4))
    variants = [(search.scheduler, confirm) for search in searches for confirm in ("none", "2 × 2")]
    assert [outcome.variant[1:3] for outcome in outcomes] == variants
    for outcome in outcomes:
        assert np.nanmin(outcome.regrets) >= -1e-6
        assert np.allclose(outcome.val_optimism[np.isfinite(outcome.val_optimism)], 0, atol=1e-6)
    assert np.nanmax(outcomes[1].regrets[BUDGETS.index(40)]) < 1e-6


def test_scoring_seeds_never_choose(write_table_file):
    table = read_table(write_table_file())
    for repetition in range(20):
        split = split_seeds(table, np.random.default_rng(repetition))
        assert len(split.score) == 3 and not {split.explore, *split.confirm} & set(split.score)
        assert len({split.explore, *split.confirm, *split.score}) == 6


def test_noise_makes_the_reported_number_optimistic(write_table_file):
    table = read_table(write_table_file(noise=0.05))
    (outcome,) = measure_variants(table, [Search(algorithm="random", scheduler="none", trials=60)], ["none"], 30)
    mean, error = mean_and_error(outcome.val_optimism[BUDGETS.index(20)])
    assert mean > 3 + 2 * error


def test_epochs_of_stopped_students_count(write_table_file):
    table = read_table(write_table_file())
    trained = explore(table, Search(algorithm="random", scheduler="asha", trials=60), 0, 90)
    assert {student.history.end["status"] for student in trained} == {"finished", "stopped"}
    assert trained[-1].spent == sum(len(student.history.epochs) for student in trained)
    assert len({student.configuration for student in trained}) == len(trained)


def test_a_proposal_trains_the_nearest_unused_configuration(write_table_file):
    table = read_table(write_table_file())
    nearest, values = NearestConfiguration(table), table.configurations[7]
    assert nearest.take(values) == 7
    second = nearest.take(values)
    assert second != 7 and table.configurations[second]["optimizer"] == values["optimizer"]


def test_a_good_prior_is_near_the_best_and_a_wrong_one_far_from_it(write_table_file):
    table = read_table(write_table_file())
    best = min(table.configurations, key=lambda values: abs(np.log10(values["train.lr"]) + 2))
    for number in range(5):
        (_, good), (_, option) = with_guess(table, "good", np.random.default_rng(number)).domains
        (_, wrong), (_, other) = with_guess(table, "wrong", np.random.default_rng(number)).domains
        assert abs(np.log10(good.prior) + 2) < abs(np.log10(wrong.prior) + 2)
        assert option.prior == best["optimizer"] and other.prior not in (option.prior, None)
    assert with_guess(table, "none", np.random.default_rng(0)) is table


def test_priors_are_compared_with_the_same_search_without(write_table_file, capsys):
    path = str(write_table_file(noise=0.02))
    assert command.main([path, "--repetitions", "3", "--confirm", "none", "--trainings", "6", "--priors"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| tpe")]
    assert [row[3] for row in rows] == ["none", "good", "wrong"]
    assert ["(" in row[-1] for row in rows] == [False, True, True]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"test": None}, "no array test"),
        ({"domains": ["{loguniform: [0, 1]}", "{choice: [adam, sgd]}"]}, "train.lr: a log range from 0"),
        ({"domains": ["{uniform: [0, 1e-3]}", "{choice: [adam, sgd]}"]}, "train.lr: found .* expected a number from 0"),
        ({"val": np.zeros((60, 6))}, "expected .configurations, seeds, epochs."),
        ({"val": np.full((60, 6, 9), 97.0)}, "fractions, not percent"),
    ],
)
def test_another_file_is_refused_in_one_line(write_table_file, arrays, message):
    with pytest.raises(UserError, match=message) as caught:
        read_table(write_table_file(**arrays))
    assert len(str(caught.value).splitlines()) == 1


def test_the_product_makes_a_table_with_conditional_knobs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    space = tmp_path / "small.yaml"
    space.write_text(SPACE)
    make_table(space, 5, 2, tmp_path / "small.npz", lambda line: None)
    table = read_table(tmp_path / "small.npz")
    assert table.val.shape == table.test.shape == (5, 2, 2) and np.isfinite(table.val).all()
    assert table.baseline_test.shape == (2, 2) and "digits, 5 random configurations" in table.source
    for values in table.configurations:
        assert ("method.alpha" in values) == (values["method"] == "hinton")
    figure = tmp_path / "regret.png"
    names = [str(tmp_path / "small.npz"), "--repetitions", "2", "--algorithms", "random", "--figure", str(figure)]
    assert command.main(names) == 0 and figure.stat().st_size > 1000
    assert "| random | asha | none |" in capsys.readouterr().out
    assert command.main(["--make", "digit"]) == 2 and "did you mean digits?" in capsys.readouterr().err
