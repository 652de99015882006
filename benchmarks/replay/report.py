"""Outcomes of a replay as Markdown tables and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.replay.measure import Outcome, mean_and_error
from benchmarks.replay.table import Table

REPORTED = 10  # trainings, at which variants are sorted and optimism is printed


def markdown_report(table: Table, outcomes: Sequence[Outcome], budgets: Sequence[int], first: int = 0) -> str:
    """Return regret and optimism of all variants, the smallest regret first."""
    at = budgets.index(REPORTED) if REPORTED in budgets else len(budgets) - 1
    possible = [outcome for outcome in outcomes if np.isfinite(outcome.regrets).any()]
    ordered = sorted(possible, key=lambda outcome: np.nan_to_num(mean_and_error(outcome.regrets[at])[0], nan=np.inf))
    configurations, seeds, epochs = table.val.shape
    repetitions = outcomes[0].regrets.shape[1]
    heads = ["algorithm", "scheduler", "confirm", *map(str, budgets), "validation too high", "test too high"]
    lines = [
        f"**{table.name}**: {configurations:,} configurations × {seeds} seeds × {epochs} epochs. {table.source}",
        "",
        f"Regret in points of test accuracy by trainings spent, ± standard error, n = {repetitions} repetitions "
        f"({first} to {first + repetitions - 1}), measured {datetime.now(UTC):%Y-%m-%d}. The last two columns: the "
        f"reported accuracies at {budgets[at]} trainings minus those of the same configuration with other seeds.",
        "",
        _row(heads),
        _row(["---"] * len(heads)),
    ]
    for outcome in ordered:
        columns = [*outcome.regrets, outcome.val_optimism[at], outcome.test_optimism[at]]
        lines.append(_row([*outcome.variant[:3], *(_cell(*mean_and_error(column)) for column in columns)]))
    return "\n".join(lines) + "\n"


def guess_report(table: Table, outcomes: Sequence[Outcome], budgets: Sequence[int], first: int) -> str:
    """Return the regret of searches with guesses, and its difference from the same search without."""
    repetitions = outcomes[0].regrets.shape[1]
    lines = [
        f"**{table.name}**: regret in points of test accuracy by trainings spent, ± standard error, n = {repetitions} "
        f"repetitions ({first} to {first + repetitions - 1}), measured {datetime.now(UTC):%Y-%m-%d}. In parentheses "
        "the difference from the same search without a prior in the same repetition.",
        "",
        _row(["algorithm", "scheduler", "confirm", "prior", *map(str, budgets)]),
        _row(["---"] * (4 + len(budgets))),
    ]
    without = {outcome.variant[:3]: outcome.regrets for outcome in outcomes if outcome.variant.guess == "none"}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.variant[:3]):
        differences = outcome.regrets - without[outcome.variant[:3]]
        cells = [_cell(*mean_and_error(row)) for row in outcome.regrets]
        if outcome.variant.guess != "none":
            cells = [
                f"{cell} ({mean:+.2f} ± {error:.2f})"
                for cell, (mean, error) in zip(cells, map(mean_and_error, differences), strict=True)
            ]
        lines.append(_row([*outcome.variant, *cells]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(mean: float, error: float) -> str:
    return "–" if np.isnan(mean) else f"{mean:.2f} ± {error:.2f}"


def draw_figure(path: Path, results: Sequence[tuple[Table, Sequence[Outcome]]], budgets: Sequence[int]) -> None:
    """Draw regret against trainings, one panel per table, without confirm stages."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(4.6 * len(results), 3.6), squeeze=False)
    for panel, (table, outcomes) in zip(axes[0], results, strict=True):
        for outcome in outcomes:
            if outcome.variant.confirm == "none":
                means, errors = np.array([mean_and_error(row) for row in outcome.regrets]).T
                panel.errorbar(
                    budgets, means, errors, label=f"{outcome.variant.algorithm} + {outcome.variant.scheduler}"
                )
        panel.set(title=table.name, xscale="log", xlabel="trainings' epochs spent", ylabel="regret, points of accuracy")
        panel.set_xticks(budgets, labels=list(map(str, budgets)))
        panel.set_xticks([], minor=True)
        panel.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
