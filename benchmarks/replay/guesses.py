"""Guesses of a user about a table: priors on its domains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.replay.table import Table
from spaces.domain import Choice, Node, Range
from spaces.label import label_text
from spaces.template import Values, join_path

ERROR = 0.1  # standard deviation of a guessed number, in widths of its range
GUESSES = ("none", "good", "wrong")


def with_guess(table: Table, guess: str, rng: np.random.Generator) -> Table:
    """Return the table with priors on all knobs of one configuration.

    A good guess is near the best configuration by the mean test accuracy of all seeds, a wrong one near the
    configuration that lies farthest from it. Numbers of both are off at random.
    """
    if guess == "none":
        return table
    best = int(np.nan_to_num(table.test[:, :, -1]).mean(1).argmax())
    chosen = best if guess == "good" else int(table.distances(table.configurations[best]).argmax())
    return replace(table, template=_with_priors(table.template, table.configurations[chosen], rng))


def _with_priors(node: Node, values: Values, rng: np.random.Generator, path: str = "") -> Node:
    if isinstance(node, Choice):
        options = tuple(_with_priors(option, values, rng, path) for option in node.options)
        return replace(node, options=options, prior=label_text(values[path]) if path in values else None)
    if isinstance(node, Range):
        return replace(node, prior=_inaccurate(node, values[path], rng)) if _holds(node, values, path) else node
    if isinstance(node, dict):
        return {key: _with_priors(item, values, rng, join_path(path, key)) for key, item in node.items()}
    return node


def _holds(domain: Range, values: Values, path: str) -> bool:
    number: Any = values.get(path)
    return number is not None and domain.low <= number <= domain.high


def _inaccurate(domain: Range, number: Any, rng: np.random.Generator) -> float:
    return domain.number_at(float(np.clip(domain.place_of(number) + rng.normal(0, ERROR), 0, 1)))
