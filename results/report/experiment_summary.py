"""Head of the report page: progress, results, protocol and search plan."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import leaderboard, wording
from results.experiment import Experiment
from results.protocol import planned_students, protocol_lines
from results.students import knob_columns
from spaces.domain import Choice, Domain

STATUS_TEXTS = {"finished": "finished", "stopped": "stopped early", "diverged": "diverged", "failed": "failed"}
NOT_ABOVE_BASELINE = "not above the baseline, which is trained on labels only"


class Fact(NamedTuple):
    """One main result with a note."""

    name: str
    value: str
    note: str


class SearchedKnob(NamedTuple):
    """A searched knob and its domain in words."""

    knob: str
    values: str


class ExperimentSummary(NamedTuple):
    """The head of the page.

    `state` is the progress, `command` the command that started the search.
    """

    name: str
    state: str
    running: bool
    facts: list[Fact]
    protocol: list[str]
    plan: str
    knobs: list[SearchedKnob]
    command: str
    versions: list[tuple[str, str]]


def experiment_summary(experiment: Experiment, lines: pandas.DataFrame) -> ExperimentSummary:
    """Return the head of the page; `lines` is the leaderboard."""
    environment = experiment.environment
    return ExperimentSummary(
        name=experiment.space.name,
        state=progress_text(experiment),
        running=experiment.running,
        facts=main_results(lines, knob_columns(experiment.students), experiment.metric, " so far" * experiment.running),
        protocol=[line for line in protocol_lines(experiment) if not line.startswith("**")],
        plan=_search_plan(experiment),
        knobs=_searched_knobs(experiment),
        command=environment.get("command", "?"),
        versions=[(name, str(version)) for name, version in environment.get("versions", {}).items()],
    )


def progress_text(experiment: Experiment) -> str:
    """Return the progress of a search, in students.

    They are counted against the number planned.
    """
    counts = experiment.students["status"].value_counts().to_dict()
    texts = [f"{counts[status]} {text}" for status, text in STATUS_TEXTS.items() if status in counts]
    statuses = f" ({', '.join(texts)})" if texts else ""
    training = counts.pop("running", 0)
    ended = sum(counts.values())
    if not experiment.running:
        return f"The search is done: {ended} students{statuses}."
    planned = max(ended + training, planned_students(experiment))
    waiting = [f"{planned - ended - training} not started"] if planned > ended + training else []
    is_at_work = "running_since" in experiment.environment
    state = "The search is running" if is_at_work else "The search is not done; the same command resumes it"
    numbers = [f"{ended} of {planned} students ended{statuses}", f"{training} in training", *waiting]
    return f"{state}: {', '.join(numbers)}."


def main_results(lines: pandas.DataFrame, knobs: list[str], metric: str, so_far: str = "") -> list[Fact]:
    """Return the chosen configuration, the baseline and the teacher, if present."""
    groups = [
        (lines[lines["rank"] == 1], f"Chosen by validation{so_far}"),
        (lines[lines["stage"] == "baseline"], "Baseline"),
        (lines[lines["stage"] == "teacher"], "Teacher"),
    ]
    results = [_result(title, group.iloc[0], knobs) for group, title in groups if len(group) and group.iloc[0]["n"] > 0]
    if _baseline_is_best(lines, metric):
        results[0] = results[0]._replace(note=f"{results[0].note}: {NOT_ABOVE_BASELINE}")
    return results


def _baseline_is_best(lines: pandas.DataFrame, metric: str) -> bool:
    chosen, baseline = (
        leaderboard.sort_key(lines[which], metric) for which in (lines["rank"] == 1, lines["stage"] == "baseline")
    )
    return bool(len(chosen) and len(baseline) and baseline.iloc[0] <= chosen.iloc[0])


def _result(title: str, line: pandas.Series, knobs: list[str]) -> Fact:
    value = f"{wording.format_percent(line['test_accuracy'], line['test_std'])} %"
    note = "no teacher" if line["stage"] == "baseline" else wording.format_configuration(dict(line), knobs)
    has_validation = not pandas.isna(line["val_accuracy"])
    validation = f"validation {wording.format_percent(line['val_accuracy'])} %" if has_validation else ""
    return Fact(f"{title}, test", value, ", ".join(filter(None, [note, f"n = {line['n']}", validation])))


def _search_plan(experiment: Experiment) -> str:
    search, confirm = experiment.space.search, experiment.space.confirm
    trials = f", {search.trials} trials" if search.trials else ""
    stopping = "no early stopping" if search.scheduler == "none" else f"early stopping: {search.scheduler}"
    best = f"the best {confirm.top}" if confirm and confirm.top else "the front"
    images = " on training and validation images" * experiment.space.trains_on_all
    repeats = f"; {best} retrained{images} with {len(confirm.seeds)} new seeds" if confirm else ""
    return f"Algorithm: {search.algorithm}{trials}; {stopping}{repeats}. Chosen by: {', '.join(search.objectives)}."


def _searched_knobs(experiment: Experiment) -> list[SearchedKnob]:
    """Return one entry per knob.

    Its domain may differ between the options of a choice.
    """
    domains: dict[str, list[str]] = {}
    for path, domain in experiment.space.domains:
        domains.setdefault(path, []).append(describe_domain(domain))
    return [SearchedKnob(path, "; or ".join(dict.fromkeys(values))) for path, values in domains.items()]


def describe_domain(domain: Domain) -> str:
    """Return the values of a domain in words."""
    guess = "" if domain.prior is None else f", prior {wording.format_label(domain.prior)}"
    if isinstance(domain, Choice):
        return f"one of {', '.join(wording.format_label(label) for label in domain.labels)}{guess}"
    kind = "an integer from " if domain.integer else ""
    scale = ", log-uniform" if domain.log else ""
    return f"{kind}{wording.format_label(domain.low)} to {wording.format_label(domain.high)}{scale}{guess}"
