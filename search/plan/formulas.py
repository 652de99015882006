"""Losses of the students of a space."""

from __future__ import annotations

from spaces.space import Space
from trainables.methods import method_formula, used_options


def loss_formulas(space: Space) -> dict[str, str]:
    """Return the formula of each method, without clauses of unused options."""
    options: dict[str, set[str]] = {}
    for values in space.probes():
        method = space.fill(values, space.seeds[0]).method
        options.setdefault(method.name, set()).update(used_options(method))
    return {name: method_formula(name, used) for name, used in options.items()}
