"""What was searched, how far it is, and what came of it, in a few words."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import leaderboard, markdown, wording
from results.experiment import Experiment
from results.students import knobs
from spaces.domain import Choice, Domain, Int, LogUniform

LOST = "not above the baseline, which no teacher taught"


class Fact(NamedTuple):
    """One number worth knowing first, what it is, and what it has to be read with."""

    name: str
    value: str
    note: str


class Hole(NamedTuple):
    """One knob and the values it may take."""

    knob: str
    values: str


class Summary(NamedTuple):
    """The head of the page; `state` says how far the search is and `command` how it was started."""

    name: str
    state: str
    running: bool
    facts: list[Fact]
    protocol: list[str]
    plan: str
    holes: list[Hole]
    command: str
    versions: list[tuple[str, str]]


def summary(experiment: Experiment, lines: pandas.DataFrame) -> Summary:
    """The head of the page of an experiment with these leaderboard lines."""
    known = experiment.environment
    return Summary(
        name=experiment.space.name,
        state=_state(experiment),
        running=experiment.running,
        facts=facts(lines, knobs(experiment.students), experiment.metric, " so far" * experiment.running),
        protocol=[line for line in markdown.protocol(experiment) if not line.startswith("**")],
        plan=_plan(experiment),
        holes=_holes(experiment),
        command=known.get("command", "?"),
        versions=[(name, str(version)) for name, version in known.get("versions", {}).items()],
    )


def _state(experiment: Experiment) -> str:
    status = experiment.students["status"]
    training, done, begun = (status == "running").sum(), (status == "finished").sum(), len(status)
    if not experiment.running:
        return f"The search is done: {done} of {begun} students finished."
    return f"The search is not done: {training} in training, {done} of {begun} students begun are finished."


def facts(lines: pandas.DataFrame, names: list[str], metric: str, yet: str = "") -> list[Fact]:
    """The chosen configuration, the baseline and the teacher, as far as they are there."""
    found = [
        (lines[lines["rank"] == 1], f"Chosen by validation{yet}"),
        (lines[lines["stage"] == "baseline"], "Baseline"),
    ]
    found += [(lines[lines["stage"] == "teacher"], "Teacher")]
    told = [_fact(title, some.iloc[0], names) for some, title in found if len(some) and some.iloc[0]["n"] > 0]
    return [told[0]._replace(note=f"{told[0].note}: {LOST}"), *told[1:]] if _lost(lines, metric) else told


def _lost(lines: pandas.DataFrame, metric: str) -> bool:
    """Whether the baseline is as good on validation as the best of the ranked."""
    chosen, alone = (
        leaderboard.score(lines[which], metric) for which in (lines["rank"] == 1, lines["stage"] == "baseline")
    )
    return bool(len(chosen) and len(alone) and alone.iloc[0] <= chosen.iloc[0])


def _fact(title: str, line: pandas.Series, names: list[str]) -> Fact:
    value = f"{wording.percent(line['test_accuracy'], line['test_std'])} %"
    note = "no teacher" if line["stage"] == "baseline" else configuration(line, names)
    validation = f"validation {wording.percent(line['val_accuracy'])} %"
    return Fact(f"{title}, test", value, ", ".join(filter(None, [note, f"n = {line['n']}", validation])))


def configuration(line: pandas.Series, names: list[str]) -> str:
    """`alpha 0.5, temperature 4`: the knobs of a student or of a line of the leaderboard, those it has."""
    shown = [
        f"{wording.short(name, names)} {wording.label(line[name])}" for name in names if not pandas.isna(line[name])
    ]
    return ", ".join(shown)


def _plan(experiment: Experiment) -> str:
    search, confirm = experiment.space.search, experiment.space.confirm
    trials = f", {search.trials} trials" if search.trials else ""
    stopping = "nobody is stopped early" if search.scheduler == "none" else f"early stopping: {search.scheduler}"
    again = f"; the best {confirm.top} again with {len(confirm.seeds)} fresh seeds" if confirm else ""
    return f"Algorithm: {search.algorithm}{trials}; {stopping}{again}. Chosen by: {search.metric}."


def _holes(experiment: Experiment) -> list[Hole]:
    """One line per knob: under different options of a choice it may have different values."""
    found: dict[str, list[str]] = {}
    for path, domain in experiment.space.domains:
        found.setdefault(path, []).append(describe(domain))
    return [Hole(path, "; or ".join(dict.fromkeys(values))) for path, values in found.items()]


def describe(domain: Domain) -> str:
    """The values of a domain in words."""
    match domain:
        case Choice():
            return f"one of {', '.join(wording.label(label) for label in domain.labels)}"
        case LogUniform():
            return f"{wording.label(domain.low)} to {wording.label(domain.high)}, even on a logarithmic scale"
        case Int():
            return f"a whole number from {domain.low} to {domain.high}"
    return f"{wording.label(domain.low)} to {wording.label(domain.high)}"
