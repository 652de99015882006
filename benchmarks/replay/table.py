"""Table of finished trainings: configurations × seeds × epochs, in one .npz file.

| array | shape | content |
| --- | --- | --- |
| `domains` | one text | YAML with the domains of the knobs, as in a space; nested keys have dotted names |
| `knobs` | [knobs] | dotted names of the knobs in `domains` |
| `values` | [configurations, knobs] | numbers, or texts as in a space's CSV; NaN or empty where a knob does not exist |
| `val`, `test` | [configurations, seeds, epochs] | accuracies from 0 to 1 after each epoch; NaN from a divergence on |
| `baseline_val`, `baseline_test` | [seeds, epochs] | optional: the student trained on labels alone |
| `source` | one text | optional: how the table was made |

For knobs without nesting, `domains` may also be [knobs] texts, one domain per knob.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from spaces.domain import Choice, Domain, Node
from spaces.errors import UserError
from spaces.label import label_text
from spaces.parser import TemplateParser
from spaces.template import SuggestLabel, Values, find_domains, sample_values
from spaces.yaml_dialect import Loader

REQUIRED_ARRAYS = ("domains", "knobs", "values", "val", "test")
MIN_SEEDS = 2  # one to choose by, one to score


@dataclass(frozen=True)
class Table:
    """Curves of all configurations of a table."""

    name: str
    template: Node
    configurations: list[Values]
    val: np.ndarray  # [configurations, seeds, epochs]
    test: np.ndarray
    source: str = ""
    baseline_test: np.ndarray | None = field(default=None, repr=False)  # [seeds, epochs]

    @property
    def domains(self) -> list[tuple[str, Domain]]:
        """Return every domain with its dotted path."""
        return list(find_domains(self.template))

    def sample_values(self, suggest: SuggestLabel) -> Values:
        """Return one value per active domain, drawn by suggest(path, domain)."""
        return sample_values(self.template, suggest)

    @cached_property
    def places(self) -> np.ndarray:
        """Return the places of all configurations, [configurations, coordinates]."""
        return np.array([self.place(values) for values in self.configurations])

    def place(self, values: Values) -> np.ndarray:
        """Return the coordinates of values: NaN for each option not chosen, and for each knob that does not exist.

        A number is from 0 to 1 on the scale of its domain; a chosen option is 1.
        """
        place = np.full(len(self._coordinates), np.nan)

        def collect(path: str, domain: Domain) -> Any:
            label = domain.normalize(values[path])
            if isinstance(domain, Choice):
                place[self._coordinates[f"{path}={label_text(label)}"]] = 1.0
            else:
                place[self._coordinates[path]] = domain.place_of(domain.value_of(label))
            return label

        self.sample_values(collect)
        return place

    def distances(self, values: Values) -> np.ndarray:
        """Return the squared distances of all configurations from some values.

        Numbers are compared on the scale of their domains, from 0 to 1. Different options are at distance 1, and so is
        a knob that one of the two lacks.
        """
        place, places = self.place(values), self.places
        apart = np.where(np.isnan(places - place), 1.0, (places - place) ** 2)
        return np.where(np.isnan(places) & np.isnan(place), 0.0, apart).sum(1)

    @cached_property
    def _coordinates(self) -> dict[str, int]:
        names: list[str] = []
        for path, domain in self.domains:
            if isinstance(domain, Choice):
                names += [f"{path}={label_text(label)}" for label in domain.labels]
            else:
                names.append(path)
        return {name: index for index, name in enumerate(dict.fromkeys(names))}


def write_table(
    path: Path,
    *,
    domains: str,
    knobs: list[str],
    configurations: list[Values],
    val: np.ndarray,
    test: np.ndarray,
    **more: Any,
) -> None:
    """Write a table as one compressed file."""
    values = [[label_text(labels.get(knob)) for knob in knobs] for labels in configurations]
    arrays: dict[str, Any] = {"domains": domains, "knobs": knobs, "values": values, "val": val, "test": test, **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})


def read_table(path: Path) -> Table:
    """Read a table; raise UserError for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as .npz ({error})") from None
    if missing := [name for name in REQUIRED_ARRAYS if name not in arrays]:
        raise UserError(f"{path}: no array {', '.join(missing)}; expected {', '.join(REQUIRED_ARRAYS)}")
    template = _read_template(path, arrays)
    val, test = arrays["val"].astype(float), arrays["test"].astype(float)
    if val.ndim != 3 or val.shape != test.shape or len(val) != len(arrays["values"]):
        shapes = f"val {val.shape}, test {test.shape}, values {arrays['values'].shape}"
        raise UserError(
            f"{path}: {shapes}; expected [configurations, seeds, epochs], twice, and [configurations, knobs]"
        )
    if val.shape[1] < MIN_SEEDS:
        raise UserError(f"{path}: {val.shape[1]} seed; expected {MIN_SEEDS} or more, to choose and to score")
    if np.nanmax(val) > 1 or np.nanmax(test) > 1:
        raise UserError(f"{path}: accuracies above 1; expected fractions, not percent")
    configurations = [_configuration_values(path, template, arrays["knobs"], row) for row in arrays["values"]]
    return Table(
        name=path.stem,
        template=template,
        configurations=configurations,
        val=val,
        test=test,
        source=str(arrays.get("source", "")),
        baseline_test=arrays.get("baseline_test"),
    )


def _read_template(path: Path, arrays: dict[str, np.ndarray]) -> Node:
    texts = arrays["domains"]
    if texts.ndim:
        tree: dict[str, Any] = {}
        for knob, text in zip(arrays["knobs"], texts, strict=True):
            *parents, last = str(knob).split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = yaml.load(str(text), Loader)
    else:
        tree = yaml.load(str(texts), Loader)
    parser = TemplateParser({})
    template = parser.parse(tree)
    if parser.problems:
        raise UserError(f"{path}: domains: {parser.problems[0].path}: {parser.problems[0].message}")
    return template


def _configuration_values(path: Path, template: Node, knobs: np.ndarray, row: np.ndarray) -> Values:
    """Return the values of one configuration; raise UserError outside the domains."""
    texts = {str(knob): label_text(value.item()) for knob, value in zip(knobs, row, strict=True)}

    def label_of(knob: str, domain: Domain) -> Any:
        if knob not in texts:
            raise ValueError(f"{knob}: not among knobs")
        try:
            return domain.normalize(texts[knob])
        except ValueError as error:
            raise ValueError(f"{knob}: {error}") from None

    try:
        return sample_values(template, label_of)
    except ValueError as error:
        raise UserError(f"{path}: values: {error}") from None
