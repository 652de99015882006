"""`python -m benchmarks.simulate_statistics`: error rates of the verdict and the analysis of variance, as Markdown.

Simulated experiments with known effects: seeds shift all cells alike, each cell has noise of its own, and validation
and test of a student correlate by CORRELATION. The functions under test are those of `results`. `make statistics`
writes the table into docs/explanation/numbers.md.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy
from scipy import special

from results import markdown, stats
from results.selection import differences_to_last, selection_quantile

EXPERIMENTS = 1000
TABLES = 1000  # for the analysis of variance
SIMULATIONS = 200  # inside one interval
CORRELATION = 0.5
ROWS, COLUMNS = 4, 6
CONFIRMED = 3  # configurations of a search
HEADS = ("experiment", "n", "noise", "effect", '"a gain" %', "interval covers %", "half-width", "known noise %")


class Scenario(NamedTuple):
    """One kind of experiment.

    `noisy` is the standard deviation of one column of the table (or option of the search), `baseline` that of the
    student alone, `effect` the true gain of all configurations, in standard deviations of the others. `confirmed`
    configurations are scored; without a number all cells of the table are.
    """

    seeds: int
    noisy: float = 1.0
    baseline: float = 1.0
    effect: float = 0.0
    confirmed: int | None = None

    @property
    def name(self) -> str:
        """Kind of experiment in words."""
        if self.confirmed is None:
            return f"table, {ROWS} × {COLUMNS}"
        return f"search, {self.confirmed} confirmed" if self.confirmed > 1 else "one configuration"

    @property
    def noise(self) -> str:
        """Kind of noise in words."""
        if self.noisy > 1:
            return f"one column × {self.noisy:g}"
        return f"baseline × {self.baseline:g}" if self.baseline > 1 else "equal"


class Rates(NamedTuple):
    """Shares of experiments, and the median half-width of the interval."""

    gains: float
    covered: float
    half: float


TABLE = [Scenario(3), Scenario(3, noisy=2), Scenario(3, noisy=4), Scenario(3, baseline=2), Scenario(3, baseline=4)]
SEARCH = [scenario._replace(confirmed=CONFIRMED, seeds=seeds) for seeds in (3, 5) for scenario in TABLE[:3]]
POWER = [Scenario(5, effect=effect, confirmed=confirmed) for effect in (1.0, 2.0) for confirmed in (None, CONFIRMED, 1)]


def error_rates(scenario: Scenario, experiments: int = EXPERIMENTS, seed: int = 0) -> Rates:
    """Return the rates of the verdict over simulated experiments."""
    random = numpy.random.default_rng(seed)
    results = numpy.array([_simulated_interval(scenario, random) for _ in range(experiments)])
    low, high = results.T
    covered = (low <= scenario.effect) & (scenario.effect <= high)
    return Rates(float((low > 0).mean()), float(covered.mean()), float(numpy.median(high - low) / 2))


def _simulated_interval(scenario: Scenario, random: numpy.random.Generator) -> tuple[float, float]:
    names = list(itertools.product(map(str, range(ROWS)), map(str, range(COLUMNS))))
    deviations = numpy.array([scenario.noisy if column == "0" else 1.0 for _, column in names])
    if scenario.confirmed is not None:  # chosen on one seed of its own; the noisy ones are chosen too often
        explored = deviations * random.standard_normal(len(names))
        best = numpy.argsort(-explored)[: scenario.confirmed]
        names, deviations = [names[place] for place in best], deviations[best]
    test, validation = _draw(numpy.append(deviations, scenario.baseline), scenario.seeds, random)
    test[:-1] += scenario.effect
    chosen = int(validation[:-1].mean(1).argmax())
    quantile = selection_quantile(test, validation, names=names, simulations=SIMULATIONS)
    difference = differences_to_last(test, quantile)[chosen]
    return difference.low, difference.high


def _draw(deviations: numpy.ndarray, seeds: int, random: numpy.random.Generator) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return noise on test and on validation, [cells, seeds] each."""
    shape = (len(deviations), seeds)
    test, own, shift = random.standard_normal(shape), random.standard_normal(shape), random.standard_normal(seeds)
    validation = CORRELATION * test + numpy.sqrt(1 - CORRELATION**2) * own
    return deviations[:, None] * test + shift, deviations[:, None] * validation + shift


def oracle_power(scenario: Scenario, experiments: int = 20 * EXPERIMENTS, seed: int = 0) -> float:
    """Return the power of a test that knows the standard deviation.

    It calls a gain if the chosen configuration is further above the student alone than in all but 5 % of the
    experiments without an effect. No test of this difference at 5 % can find more.
    """
    random, cells = numpy.random.default_rng(seed), scenario.confirmed or ROWS * COLUMNS
    means = random.standard_normal((experiments, cells + 1)) / numpy.sqrt(scenario.seeds)
    own = random.standard_normal((experiments, cells)) / numpy.sqrt(scenario.seeds)
    chosen = (CORRELATION * means[:, :-1] + numpy.sqrt(1 - CORRELATION**2) * own).argmax(1)
    differences = means[numpy.arange(experiments), chosen] - means[:, -1]
    return float((differences + scenario.effect > numpy.quantile(differences, 0.95)).mean())


def most_power(seeds: int, effect: float = 1.0) -> float:
    """Return the power of Student's t of two groups, two-sided at 5 %.

    No unbiased test of their difference with unknown equal noise finds more (Lehmann, Testing Statistical Hypotheses).
    `effect` is in standard deviations.
    """
    freedom, shift = 2 * seeds - 2, effect / numpy.sqrt(2 / seeds)
    critical = special.stdtrit(freedom, 0.975)
    return float(1 - special.nctdtr(freedom, shift, critical) + special.nctdtr(freedom, shift, -critical))


def effect_rate(noisy: float, tables: int = TABLES, seed: int = 0, shift: float = 0.0) -> float:
    """Return how often any effect is found in tables, with a `shift` of one column."""
    random = numpy.random.default_rng(seed)
    cells = list(itertools.product(range(ROWS), range(COLUMNS), range(3)))
    rows, columns, seeds = (list(labels) for labels in zip(*cells, strict=True))
    deviations = numpy.where(numpy.array(columns) == 0, noisy, 1.0)
    hits = 0
    for _ in range(tables):
        values = deviations * random.standard_normal(len(cells)) + shift * (numpy.array(columns) == COLUMNS - 1)
        hits += any(effect.detected for effect in stats.effects(values, rows, columns, seeds))
    return hits / tables


def statistics_table() -> str:
    """Return all rates as Markdown."""
    lines = [list(HEADS)]
    for scenario in (*TABLE, *SEARCH, *POWER):
        rates = error_rates(scenario)
        numbers = [f"{100 * rates.gains:.1f}", f"{100 * rates.covered:.1f}", f"{rates.half:.2f}"]
        bound = f"{100 * oracle_power(scenario):.1f}" if scenario.effect else "–"
        lines.append([scenario.name, str(scenario.seeds), scenario.noise, f"{scenario.effect:g}", *numbers, bound])
    shares = ", ".join(f"{100 * effect_rate(noisy):.1f} % (× {noisy:g})" for noisy in (1.0, 2.0, 4.0))
    power, seeds = effect_rate(1.0, shift=1.0), POWER[0].seeds
    notes = [
        f"Analysis of variance of {TABLES} such tables, n = 3, without any effect, one column as noisy as the others "
        f"(× 1), twice and four times: any effect found in {shares}. With equal noise and one column shifted by one "
        f"standard deviation it finds an effect in {100 * power:.1f} %.",
        "",
        f"The most that is possible for two groups of {seeds}, one standard deviation apart, if their equal noise is "
        f"estimated: an unbiased two-sided test at 5 % finds {100 * most_power(seeds):.1f} %.",
    ]
    return "\n".join([*markdown.table_lines(lines), "", *notes])


if __name__ == "__main__":
    print(statistics_table())
