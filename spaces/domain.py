"""Domains of searched values: a choice of options, or a numeric range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar

from spaces.label import Label, compact_json, describe_value, label_text

# Summary and form in YAML of each kind of domain.
DOMAIN_FORMS = {
    "choice": ("One of several options", "{choice: [a, b, …]}"),
    "uniform": ("A number from low to high, both included", "{uniform: [low, high]}"),
    "loguniform": ("A number from low to high, evenly spread over its logarithm", "{loguniform: [low, high]}"),
    "int": ("A whole number from low to high, both included", "{int: [low, high]} or {int: [low, high], log: true}"),
}
DOMAIN_KINDS = tuple(DOMAIN_FORMS)
Node = Any  # of a template: a scalar, a list, a mapping of nodes, or a domain
LOG_KEY = "log"  # beside uniform and int
LOG_DESCRIPTION = "Spread the values evenly over their logarithm"


@dataclass(frozen=True)
class Choice:
    """One of several options.

    `labels` represent the options in values, rows and tables. `aliases` are those of rows written while an option's
    name was the only one of its kind, or by earlier versions; None for an option without one. `prior` is the user's
    guess, a label as text.
    """

    options: tuple[Node, ...]
    labels: tuple[Label, ...]
    aliases: tuple[str | None, ...] = ()
    prior: str | None = None
    log: ClassVar[bool] = False
    integer: ClassVar[bool] = False

    def value_of(self, label: Label) -> Node:
        """Return the option with this label.

        A label read back from CSV works too. Raises ValueError for an unknown label.
        """
        return self.options[self.index(label)]

    def normalize(self, label: Label) -> Label:
        """Return the label in the spelling of this choice.

        Raises ValueError for an unknown label.
        """
        return self.labels[self.index(label)]

    def index(self, label: Label) -> int:
        """Return the index of a label in any spelling.

        Raises ValueError for an unknown label.
        """
        index = self._indices.get(label_text(label))
        if index is None:
            expected = ", ".join(map(describe_value, self.labels))
            raise ValueError(f"found {describe_value(label)}, expected one of {expected}")
        return index

    def has_label(self, label: Label) -> bool:
        """Return True for a label or alias of an option."""
        return label_text(label) in self._indices

    @cached_property
    def _indices(self) -> dict[str, int]:  # read for every student of a grid
        aliases = {label_text(alias): index for index, alias in enumerate(self.aliases) if alias is not None}
        return aliases | {label_text(label): index for index, label in enumerate(self.labels)}

    @property
    def probe_labels(self) -> tuple[Label, ...]:
        """Return the labels to validate: all of them."""
        return self.labels


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included.

    `log` spreads the samples evenly over the logarithm. `integer` allows integers only. `prior` is the user's guess.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False
    prior: float | None = None

    def value_of(self, label: Label) -> float:
        """Return the number, an int if `integer`, else a float.

        Raises ValueError outside the range, or for a fraction if `integer`.
        """
        number = _bounded_number(self.low, self.high, label)
        if not self.integer:
            return float(number)
        if number != int(number):
            raise ValueError(f"found {describe_value(label)}, expected a whole number")
        return int(number)

    normalize = value_of

    def place_of(self, number: float) -> float:
        """Return the place of a number, from 0 to 1."""
        low, high, scaled = map(math.log, (self.low, self.high, number)) if self.log else (self.low, self.high, number)
        return (scaled - low) / (high - low)

    def number_at(self, place: float) -> float:
        """Return the number at a place from 0 to 1.

        It is rounded if `integer`.
        """
        number = self.low * (self.high / self.low) ** place if self.log else self.low + (self.high - self.low) * place
        return self.value_of(round(number) if self.integer else number)

    @property
    def probe_labels(self) -> tuple[Label, ...]:
        """Return the numbers to validate: both ends."""
        return self.low, self.high


Domain = Choice | Range


def parse_choice(raw_options: object, options: tuple[Node, ...], key: str) -> Choice:
    """Return the choice written as `{choice: raw_options}`.

    `options` are the raw options with their own domains parsed. `key` names options without a name.
    Raises ValueError if the list is missing or empty, or if two options have the same label.
    """
    if not isinstance(raw_options, list):
        raise ValueError(f"found {describe_value(raw_options)}, expected choice: [a list of options]")
    if not raw_options:
        raise ValueError("an empty choice; expected at least one option")
    labels = _option_labels(raw_options, key)
    first: dict[str, int] = {}
    for number, label in enumerate(labels, 1):
        if first.setdefault(label_text(label), number) != number:
            repeated = f"repeats option {first[label_text(label)]} ({describe_value(label)})"
            raise ValueError(f"option {number} of the choice {repeated}")
    return Choice(options, tuple(labels), _option_aliases(raw_options))


def _option_labels(raw_options: list[Node], key: str) -> list[Label]:
    """Return the labels of the options.

    Options of one name are labelled by name and fixed values, such as `hinton alpha 0.2, temperature 32`, so that an
    option added at any place renames none of them. A mapping without a name is numbered by its place.
    """
    labels: list[Label] = []
    names = [option.get("name") if isinstance(option, dict) else None for option in raw_options]
    for number, (option, name) in enumerate(zip(raw_options, names, strict=True), 1):
        if not isinstance(option, dict):
            labels.append(compact_json(option) if isinstance(option, list) else option)
        elif not isinstance(name, str):
            labels.append(f"{key}-{number}")
        elif names.count(name) == 1:
            labels.append(name)
        else:
            label = _label_by_values(name, option)
            same = sum(earlier == label or str(earlier).startswith(f"{label} (") for earlier in labels)
            labels.append(f"{label} ({same + 1})" if same else label)
    return labels


def _label_by_values(name: str, option: dict[str, Node]) -> str:
    """Return a name with the fixed values beside it; domains and mappings are left out."""
    values = {key: value for key, value in option.items() if key != "name" and not isinstance(value, dict)}
    texts = (f"{key} {compact_json(value) if isinstance(value, list) else value}" for key, value in values.items())
    return " ".join(filter(None, (name, ", ".join(texts))))


def _option_aliases(raw_options: list[Node]) -> tuple[str | None, ...]:
    """Return the further labels of options of one name: the name, then `name-2`, …, by place."""
    names = [option.get("name") if isinstance(option, dict) else None for option in raw_options]
    aliases: list[str | None] = []
    for number, name in enumerate(names):
        place = names[:number].count(name) + 1
        is_repeated = isinstance(name, str) and names.count(name) > 1
        aliases.append((name if place == 1 else f"{name}-{place}") if is_repeated else None)
    return tuple(aliases) if any(aliases) else ()


def parse_range(kind: str, ends: object, log: object = False) -> Range:
    """Return the range written as `{kind: ends, log: log}`.

    Raises ValueError with the value found and the value expected.
    """
    low, high = _parse_ends(kind, ends)
    if not isinstance(log, bool):
        raise ValueError(f"log: found {describe_value(log)}, expected true or false")
    logarithmic = log or kind == "loguniform"
    if logarithmic and low <= 0:
        raise ValueError(f"a log range from {label_text(low)}; expected both ends above 0")
    if kind != "int":
        return Range(float(low), float(high), log=logarithmic)
    if not isinstance(low, int) or not isinstance(high, int):
        raise ValueError(f"found {describe_value(ends)}, expected int: [low, high], two whole numbers")
    return Range(low, high, log=logarithmic, integer=True)


def _parse_ends(kind: str, ends: object) -> tuple[Any, Any]:
    pair = ends if isinstance(ends, list) and len(ends) == 2 else ["", ""]
    if any(isinstance(end, bool | str) or not isinstance(end, Real) or not math.isfinite(end) for end in pair):
        raise ValueError(f"found {describe_value(ends)}, expected {kind}: [low, high], two finite numbers")
    low, high = pair
    if low == high:
        raise ValueError(f"a range of one number; expected {label_text(low)} itself or low below high")
    if low > high:
        raise ValueError(f"a reversed range {describe_value(ends)}; expected low below high")
    return low, high


def _bounded_number(low: float, high: float, label: Label) -> float:
    number = _label_number(label)
    if low <= number <= high:
        return number
    for end in (low, high):
        # A sampler that works in logarithms returns an end with a rounding error.
        if math.isclose(number, end, rel_tol=1e-9):
            return end
    raise ValueError(f"found {describe_value(label)}, expected a number from {label_text(low)} to {label_text(high)}")


def _label_number(label: Label) -> float:
    if isinstance(label, int) and not isinstance(label, bool):
        return label
    try:
        return math.nan if label is None or isinstance(label, bool) else float(label)
    except ValueError:
        return math.nan
