"""Template: a recipe as a tree, with domains for searched values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from math import prod
from typing import cast

from spaces.document import Tree
from spaces.domain import Choice, Domain, Node
from spaces.label import Label

Values = dict[str, Label]  # by the dotted paths of the domains
SuggestLabel = Callable[[str, Domain], Label]
MISSING = object()
# Stands for a domain that could not be parsed, so that the rest of the tree can still be validated.
BROKEN_DOMAIN = Choice((MISSING,), (None,))


def recipe_tree(template: Node, values: Values, seed: int, teacher_seed: int) -> Tree:
    """Return the filled template with its seeds, ready for Recipe.model_validate."""
    tree = fill_template(template, values)
    teacher = tree.get("teacher", {})
    if isinstance(teacher, dict):
        tree["teacher"] = {**teacher, "seed": teacher_seed}
    return {**tree, "seed": seed}


def fill_template(node: Node, values: Values, path: str = "") -> Node:
    """Return the tree with every domain replaced by its value.

    Raises KeyError(path) for a missing value and ValueError for a value outside its domain.
    """
    if isinstance(node, Domain):
        return fill_template(_value_of(node, values[path], path), values, path)
    if not isinstance(node, dict):
        return node
    filled = {key: fill_template(item, values, join_path(path, key)) for key, item in node.items()}
    return {key: item for key, item in filled.items() if item is not MISSING}


def sample_values(node: Node, suggest: SuggestLabel, path: str = "") -> Values:
    """Return one value per active domain, drawn by suggest(path, domain).

    Domains inside an option are active if the option is chosen.
    """
    if isinstance(node, Domain):
        label = suggest(path, node)
        option = _value_of(node, label, path)
        inner = sample_values(option, suggest, path) if isinstance(option, dict) else {}
        return {path: node.normalize(label)} | inner
    values: Values = {}
    for key, item in node.items() if isinstance(node, dict) else ():
        values |= sample_values(item, suggest, join_path(path, key))
    return values


def find_domains(node: Node, path: str = "") -> Iterator[tuple[str, Domain]]:
    """Yield every domain with its path, in file order.

    A path occurs once per option that holds it.
    """
    if isinstance(node, Domain):
        yield path, node
    for key, item in child_nodes(node):
        yield from find_domains(item, join_path(path, key))


def child_nodes(node: Node) -> list[tuple[str, Node]]:
    """Return the items of a mapping, or the options of a choice.

    Options have empty keys.
    """
    if isinstance(node, Choice):
        return [("", option) for option in node.options]
    return list(node.items()) if isinstance(node, dict) else []


def count_cells(node: Node) -> int:
    """Return the number of cells of a template without ranges."""
    counts = [count_cells(item) for _, item in child_nodes(node)]
    return sum(counts) if isinstance(node, Choice) else prod(counts)


def iterate_cells(node: Node, path: str = "") -> Iterator[Values]:
    """Yield every combination of options.

    The first domain of the file varies slowest.
    """
    if isinstance(node, Choice):
        for label, option in zip(node.labels, node.options, strict=True):
            yield from ({path: label} | rest for rest in iterate_cells(option, path))
    elif isinstance(node, Domain):
        raise ValueError(f"{path}: a range has no cells")
    else:
        parts = [list(iterate_cells(item, join_path(path, key))) for key, item in child_nodes(node)]
        yield from map(_merge_values, product(*parts))


def probe_values(node: Node, path: str = "") -> list[Values]:
    """Return values with every option and both ends of every range."""
    if isinstance(node, Choice):
        chosen = zip(node.labels, node.options, strict=True)
        return [{path: label} | rest for label, option in chosen for rest in probe_values(option, path)]
    if isinstance(node, Domain):
        return [{path: end} for end in node.probe_labels]
    parts = [probe_values(item, join_path(path, key)) for key, item in child_nodes(node)]
    first = [options[0] for options in parts]
    probes = [_merge_values(first)]
    for index, options in enumerate(parts):
        probes += [_merge_values([*first[:index], option, *first[index + 1 :]]) for option in options[1:]]
    return probes


def source_path(node: Node, path: str, values: Values) -> str:
    """Return the path in the file of a path in a recipe.

    It contains `choice.N` for each option on the way: the option chosen by `values`, else the first with the key.
    """
    source, walked, parts = "", "", path.split(".")
    while parts:
        if isinstance(node, Choice):
            index = _option_index(node, values.get(walked, MISSING), parts[0])
            source, node = join_path(source, f"choice.{index}"), node.options[index]
        if not isinstance(node, dict) or parts[0] not in node:
            break
        node, source, walked = node[parts[0]], join_path(source, parts[0]), join_path(walked, parts[0])
        parts = parts[1:]
    if isinstance(node, Choice) and not parts and walked in values:
        source = join_path(source, f"choice.{_option_index(node, values[walked], '')}")
    return join_path(source, ".".join(parts))


def join_path(path: str, key: str) -> str:
    """Join two dotted paths; either may be empty."""
    return f"{path}.{key}" if path and key else path or key


def _value_of(domain: Domain, label: Label, path: str) -> Node:
    try:
        return domain.value_of(label)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _option_index(node: Choice, label: object, key: str) -> int:
    if label is not MISSING:
        return node.index(cast(Label, label))
    with_key = (index for index, option in enumerate(node.options) if isinstance(option, dict) and key in option)
    return next(with_key, 0)


def _merge_values(parts: Iterable[Values]) -> Values:
    return {path: label for part in parts for path, label in part.items()}
