"""Automatic choice of algorithm, scheduler and confirmed configurations.

The rule follows from replays of searches on tables of trainings: docs/explanation/search_algorithms.md.
"""

from __future__ import annotations

from spaces.domain import Node
from spaces.sections import AUTO, Confirm, Search
from spaces.template import find_domains

CONFIRMED = 3  # configurations, unless the space says another number


def resolve_search(search: Search, template: Node) -> Search:
    """Return the settings without `auto`.

    A search without `trials` is a grid, trained to the end. One with `trials` draws at random and stops early by asha,
    unless the epochs are searched. A named algorithm stops no student by itself. A search for a front, and one that
    learns from earlier experiments, propose by tpe. For a front no student is stopped: one metric would stop the small
    ones.
    """
    is_automatic = search.algorithm == AUTO
    algorithm = search.algorithm
    if is_automatic:
        algorithm = "grid" if search.trials is None else "tpe" if search.metrics or search.from_ else "random"
    scheduler = search.scheduler
    if scheduler == AUTO:
        searches_epochs = any(path == "train.epochs" for path, _ in find_domains(template))
        stops_early = is_automatic and algorithm != "grid" and not searches_epochs and not search.metrics
        scheduler = "asha" if stops_early else "none"
    return search.model_copy(update={"algorithm": algorithm, "scheduler": scheduler})


def resolve_confirm(confirm: Confirm | None, search: Search) -> Confirm | None:
    """Return the settings with the number of configurations.

    It stays None for a front, all of which is confirmed.
    """
    if confirm is None or confirm.top is not None or search.metrics:
        return confirm
    return confirm.model_copy(update={"top": CONFIRMED})
