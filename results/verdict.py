"""Verdict of an experiment: one sentence, its numbers and warnings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
import pandas

from results import wording
from results.cautions import experiment_cautions
from results.experiment import Experiment, computed_once
from results.front_sentence import front_sentence
from results.gain import TRAINING, Gain, experiment_gain
from results.plain_distillation import plain_sentence
from results.students import knob_columns
from spaces.metrics import TEST_FIELDS

NO_RANKED = "No verdict: no configuration is finished."


@dataclass(frozen=True)
class Verdict:
    """Result of an experiment in words and numbers.

    Numbers are fractions of 1 on the test set. `low` and `high` are the 95 % interval of `gain`; they are None with one
    seed, and all three without a baseline. `gap_closed` is the share of the distance from baseline to teacher, None
    without a better teacher. `candidates` is the number of configurations from which the winner was chosen.
    """

    sentence: str
    is_gain: bool = False
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    candidates: int = 0
    metric: str = ""
    winner: str = ""
    gap_closed: float | None = None
    baseline: str = ""
    plain: str = ""
    test: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def details(self) -> list[str]:
        """Further sentences: winner, baseline, plain distillation, warnings."""
        winner = f"Chosen by validation: {self.winner}." if self.winner else ""
        return [*filter(None, [winner, self.baseline, self.plain]), *(f"Warning: {text}" for text in self.warnings)]

    @property
    def tests(self) -> list[str]:
        """Sentences on the statistics, empty without an interval."""
        return [self.test] if self.test else []


@computed_once
def experiment_verdict(experiment: Experiment) -> Verdict:
    """Return the verdict of an experiment, finished or not."""
    gain = experiment_gain(experiment)
    warnings = tuple(experiment_cautions(experiment, gain))
    if gain is None:
        return Verdict(NO_RANKED, warnings=warnings)
    difference = gain.difference
    mean, low, high = difference[:3] if difference else (numpy.nan,) * 3
    return Verdict(
        sentence=" ".join(filter(None, [front_sentence(experiment), _sentence(gain) + _gap_sentence(gain)])),
        is_gain=bool(low > 0),
        gain=_number(mean),
        low=_number(low),
        high=_number(high),
        n=difference.n if difference else 0,
        candidates=gain.candidates,
        metric=gain.metric,
        winner=wording.format_configuration(dict(gain.chosen), knob_columns(experiment.students)),
        gap_closed=_gap_closed(gain),
        baseline=_baseline_sentence(experiment, gain),
        plain=plain_sentence(experiment),
        test=_test_sentence(gain),
        warnings=warnings,
    )


def _number(value: float) -> float | None:
    return None if numpy.isnan(value) else float(value)


def _sentence(gain: Gain) -> str:
    """Return the verdict in one sentence."""
    subject = "Distillation" if gain.students["teacher_key"].notna().any() else "The method"
    if gain.difference is None:
        return f"{subject}: no verdict, because no student alone of the same seeds is finished."
    mean, low, high, n, _ = gain.difference
    points = f"{wording.format_points(mean)} points{_metric_words(gain)} over the student alone"
    if numpy.isnan(low):
        return f"{subject}: {points}, n = {n}: without an interval, so no gain is shown."
    interval = f"95 % interval {wording.format_points(low)} to {wording.format_points(high)}"
    finding = "a gain" if low > 0 else "a loss" if high < 0 else "no gain shown"
    return f"{subject}: {points}, {interval}, n = {n}: {finding}."


def _metric_words(gain: Gain) -> str:
    head = TEST_FIELDS[gain.metric].metric.head
    return f" of {head}" if head else ""


def _gap_closed(gain: Gain) -> float | None:
    """Return the share of the gap to the teacher, None without a gap."""
    gap = gain.teacher - gain.baselines[gain.metric].mean()
    return float(gain.difference.mean / gap) if gain.difference and gap > 0 else None


def _gap_sentence(gain: Gain) -> str:
    share = _gap_closed(gain)
    if share is None or gain.difference is None or not gain.difference.low > 0:
        return ""
    teacher = wording.format_percent(gain.teacher)
    if share >= 1:
        return f" The student is not below the teacher ({teacher} %)."
    return f" It closes {100 * share:.0f} % of the gap to the teacher ({teacher} %)."


def _baseline_sentence(experiment: Experiment, gain: Gain) -> str:
    """Return the training of the student alone in words."""
    if gain.baselines.empty:
        return ""
    knobs = knob_columns(experiment.students)
    searched = [knob for knob in knobs if knob.startswith(TRAINING) and not pandas.isna(gain.chosen[knob])]
    same = "The student alone has the same network, seeds and epochs"
    if not searched:
        return f"{same}; no training value was searched for either."
    names = ", ".join(wording.short_name(knob, knobs) for knob in searched)
    search = experiment.space.baseline
    if search is not None and gain.baseline_settings > 1:
        values = wording.format_configuration({knob: gain.baselines.iloc[0][knob] for knob in searched}, knobs)
        return (
            f"{same}, and was tuned too, by up to {search.trials} trials of the same search over {names}; the best of "
            f"them by validation: {values}."
        )
    if gain.baseline_settings > 1:
        values = wording.format_configuration({knob: gain.baselines.iloc[0][knob] for knob in searched}, knobs)
        return f"{same}, and the best by validation of {gain.baseline_settings} settings of {names}: {values}."
    values = wording.format_configuration({knob: gain.chosen[knob] for knob in searched}, knobs)
    return f"{same}, and takes over {values}, chosen for the winner: it was not tuned itself."


def _test_sentence(gain: Gain) -> str:
    """Return the statistics of the interval in words."""
    if gain.difference is None or numpy.isnan(gain.difference.low):
        return ""
    if gain.candidates == 1:
        return "Gain over the student alone: Student's t of the differences of equal seeds."
    return (
        "Gain over the student alone: paired over seeds; the variance of each configuration is shrunk towards their "
        "pool (Smyth 2004); the interval comes from simulated experiments in which the best by validation of "
        f"{gain.candidates} configurations without any effect is compared with the student alone."
    )
