"""Automatic choice of algorithm, scheduler and confirmed configurations.

The rule follows from replays of searches on tables of trainings: docs/explanation/search_algorithms.md.
"""

from __future__ import annotations

from itertools import count

from spaces.domain import Node
from spaces.search_section import AUTO, AUTO_ALGORITHM, AUTO_SCHEDULER, Search
from spaces.sections import Confirm, Sections
from spaces.template import find_domains

CONFIRMED = 3  # configurations, unless the space says another number


def resolve_search(search: Search, template: Node) -> Search:
    """Return the settings without `auto`.

    A search without `trials` is a grid, trained to the end. One with `trials` proposes by tpe and stops early by asha,
    unless the epochs are searched, or a front: one metric would stop its small students. A named algorithm stops no
    student by itself.
    """
    is_automatic = search.algorithm == AUTO
    algorithm = search.algorithm
    if is_automatic:
        algorithm = "grid" if search.trials is None else AUTO_ALGORITHM
    scheduler = search.scheduler
    if scheduler == AUTO:
        searches_epochs = any(path == "train.epochs" for path, _ in find_domains(template))
        stops_early = is_automatic and algorithm != "grid" and not searches_epochs and not search.metrics
        scheduler = AUTO_SCHEDULER if stops_early else "none"
    return search.model_copy(update={"algorithm": algorithm, "scheduler": scheduler})


def resolve_confirm(sections: Sections, search: Search) -> Confirm | None:
    """Return the settings with the number of configurations.

    It stays None for a front, all of which is confirmed. An automatic search without the key `confirm` trains its
    winner again with one fresh seed, because the numbers of the seed that chose it are too high.
    """
    confirm, is_automatic = sections.confirm, sections.search.algorithm == AUTO and search.trials is not None
    if is_automatic and not search.metrics and "confirm" not in sections.model_fields_set:
        return Confirm(top=1, seeds=[next(seed for seed in count() if seed not in sections.seeds)])
    if confirm is None or confirm.top is not None or search.metrics:
        return confirm
    return confirm.model_copy(update={"top": CONFIRMED})
