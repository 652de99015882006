"""Start points: first configurations of an adaptive search."""

from __future__ import annotations

from collections.abc import Iterator

from spaces.domain import Domain, Node
from spaces.errors import Problem, did_you_mean
from spaces.label import Label
from spaces.search_section import Search
from spaces.template import Values, find_domains, sample_values


def start_problems(search: Search, template: Node) -> Iterator[Problem]:
    """Yield the problems of `search.start`."""
    if not search.start:
        return
    if search.algorithm == "grid":
        yield "search.start", "a grid tries every cell; remove start or write trials"
        return
    count, trials = len(search.start), search.trials or 0
    most = max(1, int(search.start_share * trials))
    if trials and count > most:
        advice = f"write start_share: {min(1, -(-100 * count // trials) / 100):g} to allow them"
        yield "search.start", f"found {count} configurations, expected at most {most} of {trials} trials; {advice}"
    for index, values in enumerate(search.start):
        if message := _values_problem(values, template):
            yield f"search.start.{index}", message


def _values_problem(values: Values, template: Node) -> str | None:
    """Return the first wrong value, None for valid ones."""
    knobs = [path for path, _ in find_domains(template)]
    for path in values:
        if path not in knobs:
            return f"{path} is not a knob of this space{did_you_mean(path, knobs)}"
    try:
        active = complete_values(values, template)
    except ValueError as error:
        return str(error)
    unused = [path for path in values if path not in active]
    return f"{unused[0]} does not exist with these options; name the option that holds it" if unused else None


def complete_values(values: Values, template: Node) -> Values:
    """Return values, each missing one replaced by the first of its domain.

    Raises ValueError outside a domain.
    """

    def label_of(path: str, domain: Domain) -> Label:
        return values.get(path, domain.probe_labels[0])

    return sample_values(template, label_of)
