"""Automatic choice of algorithm and scheduler.

The rule follows from replays of searches on tables of trainings: docs/explanation/search_algorithms.md.
"""

from __future__ import annotations

from spaces.domain import Node
from spaces.sections import AUTO, Search
from spaces.template import find_domains


def resolve_search(search: Search, template: Node) -> Search:
    """Return the settings without `auto`.

    A search without `trials` is a grid, trained to the end. One with `trials` draws at random and stops early by asha,
    unless the epochs are searched. A named algorithm stops no student by itself.
    """
    is_automatic = search.algorithm == AUTO
    algorithm = search.algorithm
    if is_automatic:
        algorithm = "grid" if search.trials is None else "random"
    scheduler = search.scheduler
    if scheduler == AUTO:
        searches_epochs = any(path == "train.epochs" for path, _ in find_domains(template))
        scheduler = "asha" if is_automatic and algorithm != "grid" and not searches_epochs else "none"
    return search.model_copy(update={"algorithm": algorithm, "scheduler": scheduler})
