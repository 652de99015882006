"""Search of the baseline's training values.

A gain is believed if the student alone was tuned as hard as the distilled one. With `baseline: {trials: N}` the student
alone, with the network of each winner, is searched by the same algorithm and scheduler, over the training knobs that it
has too: learning rate, weight decay, batch size and so on. Its number of epochs is that of the winner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from results.students import History
from search.algorithms.ranking import rank_configurations
from search.students.spec import StudentSpec, student_spec, suggested_histories
from spaces.domain import Domain
from spaces.knob_paths import is_baseline_knob, is_distillation_knob
from spaces.search_section import Search
from spaces.space import Space
from spaces.template import SuggestLabel, Values
from trainables.seeding import derive_seed

BASELINE = "baseline"  # stage, and study of its proposals


def baseline_spaces(space: Space, winners: Sequence[Values]) -> list[BaselineSpace]:
    """Return a search for each network of the winners.

    Without the key `baseline` there is none.
    """
    if space.baseline is None:
        return []
    spaces = [BaselineSpace(space, winner) for winner in winners]
    networks = [searched.network for searched in spaces]
    return [searched for index, searched in enumerate(spaces) if searched.network not in networks[:index]]


class BaselineSpace:
    """Training knobs of the student alone; all else is the winner's."""

    def __init__(self, space: Space, winner: Values):
        assert space.baseline is not None
        self._space, self._winner = space, winner
        self._fixed = {path: label for path, label in winner.items() if not is_baseline_knob(path)}
        self.search: Search = space.search.model_copy(
            update={"trials": space.baseline.trials, "seed": derive_seed(space.search.seed, BASELINE)}
        )
        self.domains: list[tuple[str, Domain]] = [item for item in space.domains if is_baseline_knob(item[0])]

    @property
    def network(self) -> Values:
        """Values of the network and the epochs."""
        return {path: label for path, label in self._fixed.items() if not is_distillation_knob(path)}

    def sample_values(self, suggest: SuggestLabel) -> Values:
        """Return the winner's values with new ones of the training knobs."""
        return self._space.sample_values(
            lambda path, domain: suggest(path, domain) if is_baseline_knob(path) else self._winner[path]
        )

    def student(self, values: Values) -> StudentSpec:
        """Return the student alone with these values."""
        return replace(
            student_spec(self._space, BASELINE, values, self._space.seeds[0], 0), suggested=values, study=BASELINE
        )

    def histories(self, folder: Path) -> list[History]:
        """Return the proposed baselines of the winner's network, by start time.

        A searched method without a teacher proposes such students too.
        """
        proposed = [*suggested_histories(folder, BASELINE), *suggested_histories(folder)]
        return [past for past in proposed if past.start["stage"] == BASELINE and self._is_same_network(past)]

    def _is_same_network(self, past: History) -> bool:
        values = self._space.normalize_labels(past.start["values"])
        return {path: label for path, label in values.items() if not is_baseline_knob(path)} == self.network

    def best_values(self, folder: Path, top: int) -> list[Values]:
        """Return the best proposed values, as complete as the winner's."""
        seeded = [past for past in self.histories(folder) if past.start["seed"] == self._space.seeds[0]]
        ranked = rank_configurations(seeded, BASELINE, self.search.metric)
        return [self._fixed | configuration.values for configuration in ranked[:top]]
