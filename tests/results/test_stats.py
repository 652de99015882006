"""Against numbers computed by other means, and against simulations with fixed seeds."""

from __future__ import annotations

import itertools
from time import process_time

import numpy
import pytest
from scipy import stats as scipy_stats

from benchmarks import simulate_statistics as simulation
from results import contrasts, stats
from results.noise import shrink_variances, structured_variances
from results.selection import differences_to_last, selection_quantile


def layout(rows: int, columns: int, seeds: int) -> list[list[int]]:
    """The labels of rows, columns and seeds of every student of a full table."""
    students = itertools.product(range(rows), range(columns), range(seeds))
    return [list(labels) for labels in zip(*students, strict=True)]


def by_name(result: list[stats.Effect]) -> dict[str, stats.Effect]:
    return {effect.name: effect for effect in result}


def test_balanced_squares_are_those_of_the_textbook():
    y = numpy.random.default_rng(0).normal(size=(4, 6, 3)) + numpy.arange(6)[None, :, None] / 3
    result = by_name(stats.effects(y.ravel(), *layout(4, 6, 3)))
    mean = y.mean()
    cell, seed = y.mean(2), y.mean((0, 1))
    row, column = y.mean((1, 2)), y.mean((0, 2))
    between = 3 * ((cell - row[:, None] - column[None, :] + mean) ** 2).sum() / 15
    noise = ((y - cell[:, :, None] - seed + mean) ** 2).sum() / 46
    assert result["rows"].f == pytest.approx(18 * ((row - mean) ** 2).sum() / 3 / noise)
    assert result["columns"].f == pytest.approx(12 * ((column - mean) ** 2).sum() / 5 / noise)
    assert result["interaction"].f == pytest.approx(between / noise)
    assert [(e.freedom, e.residual_freedom) for e in result.values()] == [(3, 46), (5, 46), (15, 46)]


def test_without_blocks_it_is_the_one_way_analysis():
    groups = [[1.0, 2.5, 3.1], [2.0, 4.4, 3.9, 5.0], [6.0, 5.5]]
    values = [value for group in groups for value in group]
    rows = [index for index, group in enumerate(groups) for _ in group]
    (effect,) = stats.effects(values, rows, [0] * len(rows), [0] * len(rows))
    expected = scipy_stats.f_oneway(*groups)
    assert effect.f == pytest.approx(expected.statistic)
    assert effect.p == pytest.approx(expected.pvalue, abs=0.03)  # simulated, as the groups differ in variance


def test_two_paired_groups_are_the_paired_t_test():
    first, second = numpy.random.default_rng(1).normal(size=(2, 5))
    blocks = [*range(5), *range(5)]
    (effect,) = stats.effects([*first, *second], [0] * 5 + [1] * 5, [0] * 10, blocks)
    expected = scipy_stats.ttest_rel(first, second)
    assert (effect.f, effect.p) == (pytest.approx(expected.statistic**2), pytest.approx(expected.pvalue))
    higher, lower = (first, second) if first.mean() > second.mean() else (second, first)
    result = contrasts.p_below_best([*higher, *lower], ["best"] * 5 + ["other"] * 5, blocks, "best")
    assert result["other"] == pytest.approx(scipy_stats.ttest_rel(higher, lower, alternative="greater").pvalue)


def first_difference(scores: numpy.ndarray, candidates: int | None = None) -> stats.Difference:
    return differences_to_last(scores, selection_quantile(scores, scores, candidates))[0]


def test_the_interval_of_one_candidate_is_the_paired_one():
    first, second = [0.95, 0.97, 0.96], [0.94, 0.95, 0.953]
    result = first_difference(numpy.array([first, second]))
    interval = scipy_stats.ttest_rel(first, second).confidence_interval()
    assert (result.n, result.freedom) == (3, 2)
    assert (result.low, result.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_more_candidates_widen_the_interval():
    scores = numpy.random.default_rng(5).normal(size=(9, 5))
    few, many = (first_difference(scores, candidates) for candidates in (8, 800))
    assert few.high - few.low < many.high - many.low


def test_one_seed_has_a_difference_without_an_interval():
    result = first_difference(numpy.array([[1.0], [0.5]]))
    assert result.mean == pytest.approx(0.5) and numpy.isnan(result.low) and result.freedom == 0


def test_equal_numbers_have_an_interval_of_one_point():
    result = first_difference(numpy.full((4, 3), 0.9))
    assert (result.mean, result.low, result.high) == (0.0, 0.0, 0.0)


def test_a_variance_is_shrunk_as_far_as_the_others_agree():
    equal, _ = shrink_variances(numpy.full(20, 2.0), 2)
    assert equal == pytest.approx(numpy.full(20, 2.0))
    unequal = numpy.r_[numpy.full(10, 1.0), numpy.full(10, 100.0)]
    shrunk, freedoms = shrink_variances(unequal, 20)
    assert shrunk == pytest.approx(unequal, rel=0.15) and freedoms.max() < 30


def test_cells_of_a_noisy_column_share_their_variance():
    names = list(itertools.product("abcd", range(6)))
    deviations = numpy.array([4.0 if column == 0 else 1.0 for _, column in names])
    drawn = numpy.random.default_rng(0).chisquare(2, size=24) / 2 * deviations**2
    variances, _ = structured_variances(drawn, 2, names)
    noisy = deviations == 4
    assert 8 < variances[noisy].mean() < 30 and variances[~noisy].mean() < 3
    assert variances[noisy].std() < drawn[noisy].std()


def test_unequal_noise_is_no_effect():
    """Bounds for a few hundred tables; docs/explanation/numbers.md has the rates of 1,000."""
    assert simulation.effect_rate(4.0, tables=400) <= 0.07
    assert simulation.effect_rate(1.0, tables=200, shift=1.5) >= 0.75


def test_a_variance_for_each_cell_is_the_test_of_welch():
    """Of two cells of one block: F is the square of Welch's t."""
    random = numpy.random.default_rng(1)
    y, cells = numpy.concatenate([random.normal(size=8), 9 * random.normal(size=6)]), [0] * 8 + [1] * 6
    cell, block = stats.indicators(cells), numpy.ones((14, 1))
    fitted = stats.cell_model(y, cells, [0] * 14)
    effect = stats._unequal_effect("rows", (block,), (block, cell), fitted)
    expected = scipy_stats.ttest_ind(y[:8], y[8:], equal_var=False)
    assert effect.f == pytest.approx(expected.statistic**2)
    assert effect.freedom == pytest.approx(1)


@pytest.mark.parametrize(
    ("scenario", "most_gains", "fewest_covered"),
    [
        (simulation.Scenario(3), 0.05, 0.95),
        (simulation.Scenario(3, noisy=4), 0.10, 0.90),
        (simulation.Scenario(3, baseline=4), 0.10, 0.90),
        (simulation.Scenario(5, noisy=4, confirmed=3), 0.10, 0.90),
    ],
)
def test_a_gain_without_an_effect_is_rare(scenario, most_gains, fewest_covered):
    """Bounds for 150 experiments; docs/explanation/numbers.md has the rates of 1,000."""
    rates = simulation.error_rates(scenario, experiments=150)
    assert rates.gains <= most_gains and rates.covered >= fewest_covered


def test_known_noise_bounds_the_power():
    """Of two means of five, one standard deviation apart: the normal distribution's own number."""
    bound = simulation.oracle_power(simulation.Scenario(5, effect=1.0, confirmed=1))
    assert bound == pytest.approx(scipy_stats.norm.sf(1.645 - 1 / numpy.sqrt(2 / 5)), abs=0.015)


def test_the_most_power_is_that_of_simulated_groups():
    random = numpy.random.default_rng(0)
    groups = random.standard_normal((2, 4000, 5)) + numpy.array([1.0, 0.0])[:, None, None]
    found = (scipy_stats.ttest_ind(*groups, axis=1).pvalue < 0.05).mean()
    assert simulation.most_power(5) == pytest.approx(found, abs=0.03)


def test_holm_by_hand():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_a_missing_cell_and_a_missing_seed_only_cost_freedom():
    rows, columns, seeds = layout(3, 4, 3)
    indices = [index for index in range(36) if (rows[index], columns[index]) != (1, 1) and index != 35]
    y = numpy.random.default_rng(2).normal(size=36)
    picked = [[names[index] for index in indices] for names in (rows, columns, seeds)]
    result = by_name(stats.effects(y[indices], *picked))
    assert [(e.freedom, e.residual_freedom) for e in result.values()] == [(2, 19), (3, 19), (5, 19)]


def test_no_residual_no_findings():
    rows, columns, seeds = layout(2, 2, 1)
    assert stats.effects([1, 2, 3, 4], rows, columns, seeds) == []
    assert contrasts.p_below_best([1, 2, 3], ["a", "b", "c"], [0, 0, 0], "a") == {}


def test_equal_numbers_have_no_effect():
    result = stats.effects([0.9] * 12, *layout(2, 3, 2))
    assert [effect.p for effect in result] == [1.0] * 3
    assert set(contrasts.p_below_best([0.9] * 6, list("aabbcc"), [0, 1] * 3, "a").values()) == {1.0}


def test_a_knob_that_changes_nothing_has_a_p_of_one():
    """Its F is a rounding error, which may lie below 0."""
    random = numpy.random.default_rng(0)
    rows, columns, seeds = (part.ravel() for part in numpy.meshgrid(range(5), range(6), range(3), indexing="ij"))
    for _ in range(20):
        noise = random.normal(size=(5, 3))
        result = stats.effects(noise[rows, seeds], rows, columns, seeds)  # the same in every column
        assert [0 <= effect.p <= 1 for effect in result] == [True] * len(result)
        assert result[1].p == 1


def test_cells_that_share_no_seed_are_not_compared():
    cells, blocks = ["a", "b", "a", "b", "c", "d", "c", "d"], [0, 0, 1, 1, 2, 2, 3, 3]
    assert set(contrasts.p_below_best(numpy.arange(8) % 3, cells, blocks, "a")) == {"b"}


def simulate(rounds: int, gap: float) -> tuple[float, float]:
    """How often any effect is result, and that of columns, in 4×6 cells of n = 3; `gap` in deviations of the noise."""
    random, names = numpy.random.default_rng(3), layout(4, 6, 3)
    result = []
    for _ in range(rounds):
        y = random.normal(size=72) + 2 * random.normal(size=3)[names[2]] + gap * (numpy.array(names[1]) > 1)
        result.append([effect.detected for effect in stats.effects(y, *names)])
    return float(numpy.any(result, axis=1).mean()), float(numpy.mean([line[1] for line in result]))


def test_thousands_of_seeds_cost_little():
    """An indicator column per seed would take minutes: its time grows with the third power."""
    random = numpy.random.default_rng(0)
    seeds = numpy.arange(5000)
    high, low = random.standard_normal((2, len(seeds))) + random.standard_normal(len(seeds))
    began = process_time()
    p = contrasts.p_below_best([*high, *low], ["high"] * 5000 + ["low"] * 5000, [*seeds, *seeds], "high")
    assert process_time() - began < 20
    assert p["low"] == pytest.approx(scipy_stats.ttest_rel(low, high, alternative="less").pvalue, rel=0.05)


def test_luck_alone_is_called_an_effect_in_one_of_twenty_experiments():
    anything, _ = simulate(150, gap=0.0)
    assert 0.0 < anything <= 0.09


def test_effects_are_found_as_often_as_the_noncentral_distribution_says():
    _, columns = simulate(60, gap=1.0)
    shift = 72 * (1 / 3) * (2 / 3)  # the sum of squares of the true column effects in units of the noise
    powers = [scipy_stats.ncf.sf(scipy_stats.f.isf(level, 5, 46), 5, 46, shift) for level in (0.05 / 3, 0.05)]
    assert powers[0] - 0.12 <= columns <= powers[1] + 0.12
    assert simulate(20, gap=2.0)[1] == 1.0


@pytest.mark.parametrize("equal", [2, 5, 10])
def test_the_truly_best_cell_is_rarely_called_worse_than_the_highest(equal):
    random, wrong = numpy.random.default_rng(4), 0
    cells, blocks = [index // 3 for index in range(30)], [index % 3 for index in range(30)]
    truth = numpy.repeat([0.0] * equal + [-20.0] * (10 - equal), 3)
    for _ in range(200):
        y = truth + random.normal(size=30)
        highest = int(y.reshape(10, 3).mean(1).argmax())
        wrong += contrasts.p_below_best(y, cells, blocks, highest).get(0, 1.0) < stats.LEVEL
    assert wrong / 200 <= 0.05
