"""What may stand in a hole of a recipe: one frozen class per YAML key, picked by its key first, then validated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

from spaces.label import Label, compact, show, text


@dataclass(frozen=True)
class Choice:
    """One of several options; `labels` are what stands for them in values, rows and tables."""

    options: tuple[Any, ...]
    labels: tuple[Label, ...]

    def pick(self, label: Label) -> Any:
        """Return the option with this label, also after a journey through CSV; raise ValueError for any other."""
        return self.options[self.place(label)]

    def label(self, label: Label) -> Label:
        """Return the label as this choice spells it; raise ValueError for any other."""
        return self.labels[self.place(label)]

    def place(self, label: Label) -> int:
        """Return the place of a label, however it is spelt, among the labels; raise ValueError for any other."""
        found = self._places.get(text(label))
        if found is None:
            raise ValueError(f"found {show(label)}, expected one of {', '.join(map(show, self.labels))}")
        return found

    @cached_property
    def _places(self) -> dict[str, int]:  # looked up for every student of a grid
        return {text(known): place for place, known in enumerate(self.labels)}

    @property
    def ends(self) -> tuple[Label, ...]:
        """All labels: what has to be tried to have tried everything."""
        return self.labels


@dataclass(frozen=True)
class _Floats:
    low: float
    high: float

    def pick(self, label: Label) -> float:
        """Return the number as a float; raise ValueError where it lies outside."""
        return float(_inside(self.low, self.high, label))

    label = pick

    @property
    def ends(self) -> tuple[Label, ...]:
        """Both ends."""
        return self.low, self.high


class Uniform(_Floats):
    """A number from low to high, both included, evenly spread."""


class LogUniform(_Floats):
    """A number from low to high, both included, with an evenly spread logarithm."""


@dataclass(frozen=True)
class Int:
    """A whole number from low to high, both included."""

    low: int
    high: int

    def pick(self, label: Label) -> int:
        """Return the whole number; raise ValueError where it is none or lies outside."""
        number = _inside(self.low, self.high, label)
        if number != int(number):
            raise ValueError(f"found {show(label)}, expected a whole number")
        return int(number)

    label = pick

    @property
    def ends(self) -> tuple[Label, ...]:
        """Both ends."""
        return self.low, self.high


Domain = Choice | Uniform | LogUniform | Int


def parse(kind: str, given: Any, options: tuple[Any, ...] = (), key: str = "") -> Domain:
    """Return the domain that `{kind: given}` writes; raise ValueError saying what was found and what expected.

    `options` are the options of a choice with their own holes already parsed; `key` names those without a name.
    """
    return choice(given, options, key) if kind == "choice" else _RANGES[kind](given)


def choice(given: Any, options: tuple[Any, ...], key: str) -> Choice:
    """Return a choice; raise ValueError where it is no list, empty, or two options cannot be told apart."""
    if not isinstance(given, list):
        raise ValueError(f"found {show(given)}, expected choice: [a list of options]")
    if not given:
        raise ValueError("an empty choice; expected at least one option")
    labels = _labels(given, key)
    first: dict[str, int] = {}
    for number, label in enumerate(labels, 1):
        if first.setdefault(text(label), number) != number:
            raise ValueError(f"option {number} of the choice repeats option {first[text(label)]} ({show(label)})")
    return Choice(options, tuple(labels))


def _labels(given: list[Any], key: str) -> list[Label]:
    names = [_name(option, key) if isinstance(option, dict) else None for option in given]
    labels: list[Label] = []
    for number, (option, name) in enumerate(zip(given, names, strict=True), 1):
        if name is not None:
            bare = names.count(name) == 1 and isinstance(option.get("name"), str)
            labels.append(name if bare else f"{name}-{number}")
        else:
            labels.append(compact(option) if isinstance(option, list) else option)
    return labels


def _name(option: dict[str, Any], key: str) -> str:
    name = option.get("name")
    return name if isinstance(name, str) else key


def _inside(low: float, high: float, label: Label) -> float:
    number = _number(label)
    if low <= number <= high:
        return number
    for end in (low, high):
        # A searcher that works in logarithms comes back a rounding error outside.
        if math.isclose(number, end, rel_tol=1e-9):
            return end
    raise ValueError(f"found {show(label)}, expected a number from {text(low)} to {text(high)}")


def _number(label: Label) -> float:
    if isinstance(label, int) and not isinstance(label, bool):
        return label
    try:
        return math.nan if label is None or isinstance(label, bool) else float(label)
    except ValueError:
        return math.nan


def _ends(kind: str, given: Any) -> tuple[Any, Any]:
    pair = given if isinstance(given, list) and len(given) == 2 else ["", ""]
    if any(isinstance(end, bool | str) or not isinstance(end, Real) or not math.isfinite(end) for end in pair):
        raise ValueError(f"found {show(given)}, expected {kind}: [low, high], two finite numbers")
    low, high = given
    if low == high:
        raise ValueError(f"a range of one number; expected {text(low)} itself or low below high")
    if low > high:
        raise ValueError(f"a reversed range {show(given)}; expected low below high")
    return low, high


def _uniform(given: Any) -> Uniform:
    return Uniform(*map(float, _ends("uniform", given)))


def _loguniform(given: Any) -> LogUniform:
    low, high = _ends("loguniform", given)
    if low <= 0:
        raise ValueError(f"a log range from {text(low)}; expected both ends above 0")
    return LogUniform(float(low), float(high))


def _int(given: Any) -> Int:
    low, high = _ends("int", given)
    if not isinstance(low, int) or not isinstance(high, int):
        raise ValueError(f"found {show(given)}, expected int: [low, high], two whole numbers")
    return Int(low, high)


_RANGES: dict[str, Callable[[Any], Domain]] = {"uniform": _uniform, "loguniform": _loguniform, "int": _int}
KINDS = ("choice", *_RANGES)
