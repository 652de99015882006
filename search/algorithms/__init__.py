"""Registry of search algorithms and schedulers.

To add a search algorithm: write a function of (Search, seed, distributions) that returns an Optuna sampler, in
samplers.py, and add one line to SAMPLERS; if it ignores results, add its name to NON_ADAPTIVE
(spaces/search_section.py). To add a scheduler: write a function of (Search, epochs) that returns a Ray scheduler, in
schedulers.py, and add one line to SCHEDULERS. Nothing else changes: the check of a space, the editor schema and
`spaces list` read these dicts. A grid is no sampler: it is enumerated (search/students/candidates.py).
"""

from __future__ import annotations

from collections.abc import Callable

from optuna.samplers import BaseSampler
from ray.tune.schedulers import TrialScheduler

from search.algorithms.samplers import Distributions, quasi_random_sampler, random_sampler, tpe_sampler
from search.algorithms.schedulers import asha_scheduler, median_scheduler, no_stopping
from spaces.search_section import Search

SAMPLERS: dict[str, Callable[[Search, int, Distributions], BaseSampler]] = {
    "random": random_sampler,
    "qmc": quasi_random_sampler,
    "tpe": tpe_sampler,
}

SCHEDULERS: dict[str, Callable[[Search, int], TrialScheduler]] = {
    "none": no_stopping,
    "asha": asha_scheduler,
    "median": median_scheduler,
}
