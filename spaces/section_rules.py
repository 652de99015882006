"""Rules between sections, and between sections and searched values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spaces.catalogue.entries import catalogue_entries
from spaces.domain import Choice, Node
from spaces.errors import Problem, did_you_mean
from spaces.knob_paths import is_baseline_knob
from spaces.search_section import NON_ADAPTIVE
from spaces.sections import Sections
from spaces.start_points import start_problems
from spaces.template import count_cells, fill_template, find_domains, probe_values

MAX_GRID_CELLS = 100_000


def section_problems(sections: Sections, template: Node, broken: Iterable[str]) -> Iterator[Problem]:
    """Yield the conflicts between sections.

    Rules about a `broken` section are left out. "knobs" in `broken` means that a domain is broken.
    """
    broken = set(broken)
    for sections_read, rule in _RULES:
        if not broken & sections_read:
            yield from rule(sections, template)


def _check_names(sections: Sections, template: Node) -> Iterator[Problem]:
    for kind in ("algorithm", "scheduler"):
        name, names = getattr(sections.search, kind), [entry.name for entry in catalogue_entries(kind)]
        if name not in names:
            yield f"search.{kind}", f"unknown {kind} {name}{did_you_mean(name, names)}"


def _check_search_budget(sections: Sections, template: Node) -> Iterator[Problem]:
    search = sections.search
    if search.algorithm == "grid" and search.trials is not None:
        yield "search.trials", "a grid has as many trials as cells; remove trials or name another algorithm"
    if search.algorithm == "grid" and search.hours is not None:
        yield "search.hours", "a grid trains every cell, without a time limit; remove hours or name another algorithm"
    if search.algorithm != "grid" and not any(find_domains(template)):
        yield "search.algorithm", "there is nothing to search: no value in this file is a domain"


def _check_grid(sections: Sections, template: Node) -> Iterator[Problem]:
    if sections.search.algorithm != "grid":
        return
    ranges = list(dict.fromkeys(path for path, domain in find_domains(template) if not isinstance(domain, Choice)))
    if ranges:
        further = f" (so does {', '.join(ranges[1:])})" if ranges[1:] else ""
        advice = "a grid takes only choice: [...]; for a range write search: {trials: 30}"
        yield ranges[0], advice + further
    elif count_cells(template) > MAX_GRID_CELLS:
        yield "search.algorithm", f"a grid of {count_cells(template)} cells; expected at most {MAX_GRID_CELLS}"


def _check_priors(sections: Sections, template: Node) -> Iterator[Problem]:
    guessed = list(dict.fromkeys(path for path, domain in find_domains(template) if domain.prior is not None))
    if guessed and sections.search.algorithm == "grid":
        further = f" (so does {', '.join(guessed[1:])})" if guessed[1:] else ""
        yield (
            guessed[0],
            f"has a prior{further}, but a grid tries every cell; remove it, or write search: {{trials: 30}}",
        )


def _check_baseline(sections: Sections, template: Node) -> Iterator[Problem]:
    if sections.baseline is None:
        return
    if sections.search.algorithm == "grid":
        reason = "a grid trains the student alone at each of its training values"
        yield "baseline", f"{reason}; remove baseline, or write search: {{trials: 30}}"
    elif sections.search.metrics:
        yield "baseline", "several metrics have a front of networks; remove baseline, or write one metric"
    elif not any(is_baseline_knob(path) for path, _ in find_domains(template)):
        example = "lr: {loguniform: [1e-4, 1e-2]}"
        yield "baseline.trials", f"nothing to search: no value of train is a domain, such as {example}"


def _check_table_without_stopping(sections: Sections, template: Node) -> Iterator[Problem]:
    search = sections.search
    if search.algorithm == "grid" and sections.table and search.scheduler != "none":
        reason = "a cell that was stopped early would be missing from the table, and bias it"
        yield "search.scheduler", f"found {search.scheduler}, expected none for a grid with a table: {reason}"


def _check_front(sections: Sections, template: Node) -> Iterator[Problem]:
    search = sections.search
    if search.metrics and search.scheduler != "none":
        reason = "it compares one metric and would stop the small students of the front"
        yield "search.scheduler", f"found {search.scheduler}, expected none beside metrics: {reason}"


def _check_start(sections: Sections, template: Node) -> Iterator[Problem]:
    yield from start_problems(sections.search, template)


def _check_transfer(sections: Sections, template: Node) -> Iterator[Problem]:
    search = sections.search
    if search.from_ and search.algorithm in ("grid", *NON_ADAPTIVE):
        yield "search.from", f"{search.algorithm} learns from no results; remove from or write algorithm: tpe"


def _check_confirm_seeds(sections: Sections, template: Node) -> Iterator[Problem]:
    used = sorted(set(sections.seeds) & set(sections.confirm.seeds)) if sections.confirm else []
    if used:
        yield "confirm.seeds", f"seed {used[0]} is in seeds too; expected seeds that the search has not used"


def _check_confirm_images(sections: Sections, template: Node) -> Iterator[Problem]:
    """Yield keys that need validation images, or fewer training images."""
    if sections.confirm is None or sections.confirm.train_on != "all":
        return
    if sections.search.metrics:
        yield "confirm.train_on", "found all, expected train beside search.metrics: a front is compared on validation"
    for values in probe_values(template):
        train = fill_template(template, values).get("train") or {}
        if train.get("images") is not None:
            yield "train.images", "cannot be combined with confirm.train_on: all; remove one of them"
            return
        if (train.get("omit") or {}).get("correct_bias"):
            reason = "the biases are fitted on validation images, and confirm.train_on: all leaves none"
            yield "train.omit.correct_bias", f"{reason}; remove one of them"
            return


def _check_confirmed_knob(sections: Sections, template: Node) -> Iterator[Problem]:
    knob = sections.confirm.per if sections.confirm else None
    if knob is None:
        return
    domains: dict[str, list[object]] = {}
    for path, domain in find_domains(template):
        domains.setdefault(path, []).append(domain)
    if knob not in domains:
        yield "confirm.per", f"{knob} is not a knob of this space{did_you_mean(knob, list(domains))}"
    elif not all(isinstance(domain, Choice) for domain in domains[knob]):
        yield "confirm.per", f"{knob} is searched over a range; expected a knob with options"
    elif sections.search.metrics:
        yield "confirm.per", "found beside metrics, which confirm their front; remove one of both"


def _check_table_knobs(sections: Sections, template: Node) -> Iterator[Problem]:
    if sections.table is None:
        return
    knobs, table = list(dict.fromkeys(path for path, _ in find_domains(template))), sections.table
    for side, path in (("rows", table.rows), ("columns", table.columns)):
        if path not in knobs:
            yield f"table.{side}", f"{path} is not a knob of this space{did_you_mean(path, knobs)}"
    if table.rows == table.columns:
        yield "table.columns", f"rows and columns are both {table.rows}; expected two knobs"


# Each rule with the sections that it reads.
_RULES = (
    ({"search"}, _check_names),
    ({"search"}, _check_search_budget),
    ({"search"}, _check_grid),
    ({"search"}, _check_priors),
    ({"search", "table"}, _check_table_without_stopping),
    ({"search"}, _check_front),
    ({"search", "baseline", "knobs"}, _check_baseline),
    ({"search", "knobs"}, _check_start),
    ({"search"}, _check_transfer),
    ({"confirm", "seeds"}, _check_confirm_seeds),
    ({"confirm", "search", "knobs"}, _check_confirm_images),
    ({"confirm", "search", "knobs"}, _check_confirmed_knob),
    ({"table", "knobs"}, _check_table_knobs),
)
