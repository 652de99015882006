"""A performance goal: how it is measured, beside which peer, and why it is missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.measurements import Results, product_rate, ratio_text

MINUTE = 60  # seconds


def no_text(_: Results) -> str:
    """Return a dash."""
    return "–"


def unknown_reason(_: Results) -> str:
    """Return that no reason is known."""
    return "not known"


class Goal(NamedTuple):
    """One row: required results, and functions for value and success, the peer's value and the reason of a miss."""

    name: str
    target: str
    required: tuple[str, ...]
    measure: Callable[[Results], tuple[str, bool]]
    reason: Callable[[Results], str] = unknown_reason
    peer: Callable[[Results], str] = no_text


def speedup(ratio: float, target: float, same_accuracy: bool = True) -> tuple[str, bool]:
    """Return text and success of a speed-up; it is void if the students are worse or better."""
    return f"{ratio_text(ratio)}×" + ("" if same_accuracy else ", void"), ratio >= target and same_accuracy


def product_reason(results: Results, target: float, seconds: float, operations: float) -> str:
    """Return target and measurement beside the time of the matrix products alone."""
    products = operations / product_rate(results) / results["cores"]
    return (
        f"target {target:.2f} s, measured {seconds:.2f} s; matrix products alone take {products:.2f} s at the measured "
        f"{results['precision']} rate on {results['cores']} cores"
    )
