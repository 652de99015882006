"""A recipe with holes, as a tree of dicts in which domains stand; everything one can do with its holes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from itertools import product
from math import prod
from typing import Any

from spaces.document import line
from spaces.domain import KINDS, Choice, Domain, parse
from spaces.errors import Mistake
from spaces.label import Label

Values = dict[str, Label]
Suggest = Callable[[str, Domain], Label]
MISSING = object()
# Stands for a hole already complained about, so that the rest can still be checked.
BROKEN = Choice((MISSING,), (None,))


class Parser:
    """Turns a tree into a template; collects what is wrong with its holes, and their paths."""

    def __init__(self, lines: dict[str, int]) -> None:
        self.lines = lines
        self.mistakes: list[Mistake] = []
        self.broken: set[str] = set()

    def tree(self, node: Any, path: str = "", source: str = "") -> Any:
        """Return the template; `path` is the dotted path in a recipe, `source` the same in the file."""
        if isinstance(node, list):
            return self._list(node, path, source)
        if not isinstance(node, dict):
            return node
        kinds = [key for key in node if key in KINDS]
        if kinds or _misspelt(node):
            return self._hole(node, kinds, path, source)
        return {key: self.tree(item, join(path, key), join(source, key)) for key, item in node.items()}

    def _hole(self, node: dict[str, Any], kinds: list[str], path: str, source: str) -> Domain:
        if not kinds:
            key = next(iter(node))
            return self._wrong(f"unknown key {key}; did you mean {_misspelt(node)}?", path, join(source, key))
        kind, others = kinds[0], [key for key in node if key != kinds[0]]
        if others:
            return self._wrong(f"{kind} stands alone; found {', '.join(others)} beside it", path, source)
        given = node[kind]
        try:
            options = self._options(given, path, join(source, kind)) if kind == "choice" else ()
            if BROKEN in options:
                return BROKEN
            return parse(kind, given, options, path.rpartition(".")[2])
        except ValueError as error:
            return self._wrong(str(error), path, source)

    def _options(self, given: Any, path: str, source: str) -> tuple[Any, ...]:
        options = given if isinstance(given, list) else []
        if any(isinstance(option, dict) and set(option) & set(KINDS) for option in options):
            raise ValueError("an option that is itself a domain; expected values, lists or mappings with keys")
        return tuple(self.tree(option, path, f"{source}.{index}") for index, option in enumerate(options))

    def _list(self, items: list[Any], path: str, source: str) -> Any:
        if any(isinstance(node, dict) and set(node) & set(KINDS) for node in _inside(items)):
            return self._wrong("a domain inside a list; expected a choice among whole lists", path, source)
        return items

    def _wrong(self, message: str, path: str, source: str) -> Choice:
        self.mistakes.append(Mistake(line(self.lines, source), path, message))
        self.broken.add(path)
        return BROKEN


def fill(node: Any, values: Values, path: str = "") -> Any:
    """Return the tree with every hole filled; raise KeyError(path) for a missing value, ValueError for a wrong one."""
    if isinstance(node, Domain):
        return fill(_picked(node, values[path], path), values, path)
    if not isinstance(node, dict):
        return node
    filled = {key: fill(item, values, join(path, key)) for key, item in node.items()}
    return {key: item for key, item in filled.items() if item is not MISSING}


def ask(node: Any, suggest: Suggest, path: str = "") -> Values:
    """Return values for every hole met on a walk that calls suggest(path, domain) and enters the chosen options."""
    if isinstance(node, Domain):
        answer = suggest(path, node)
        option = _picked(node, answer, path)
        return {path: node.label(answer)} | (ask(option, suggest, path) if isinstance(option, dict) else {})
    values: Values = {}
    for key, item in node.items() if isinstance(node, dict) else ():
        values |= ask(item, suggest, join(path, key))
    return values


def domains(node: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """Yield every hole with its path, in the order of the file; one path may stand in several options."""
    if isinstance(node, Domain):
        yield path, node
    for key, item in branches(node):
        yield from domains(item, join(path, key))


def branches(node: Any) -> list[tuple[str, Any]]:
    """Return what lies below: the items of a mapping, or (under no key of their own) the options of a choice."""
    if isinstance(node, Choice):
        return [("", option) for option in node.options]
    return list(node.items()) if isinstance(node, dict) else []


def size(node: Any) -> int:
    """Return the number of cells of a template that holds only choices."""
    counts = [size(item) for _, item in branches(node)]
    return sum(counts) if isinstance(node, Choice) else prod(counts)


def cells(node: Any, path: str = "") -> Iterator[Values]:
    """Yield every combination of options, the first hole of the file varying slowest."""
    if isinstance(node, Choice):
        for label, option in zip(node.labels, node.options, strict=True):
            yield from ({path: label} | rest for rest in cells(option, path))
    elif isinstance(node, Domain):
        raise ValueError(f"{path}: a range has no cells")
    else:
        below = [list(cells(item, join(path, key))) for key, item in branches(node)]
        yield from map(_joined, product(*below))


def probes(node: Any, path: str = "") -> list[Values]:
    """Return values such that every option, and both ends of every range, occur at least once."""
    if isinstance(node, Choice):
        chosen = zip(node.labels, node.options, strict=True)
        return [{path: label} | rest for label, option in chosen for rest in probes(option, path)]
    if isinstance(node, Domain):
        return [{path: end} for end in node.ends]
    below = [probes(item, join(path, key)) for key, item in branches(node)]
    first = [options[0] for options in below]
    found = [_joined(first)]
    for index, options in enumerate(below):
        found += [_joined([*first[:index], other, *first[index + 1 :]]) for other in options[1:]]
    return found


def locate(node: Any, path: str, values: Values) -> str:
    """Return where in the file a path of a recipe stands: the path, with `choice.N` where an option was entered."""
    source, walked, parts = "", "", path.split(".")
    while parts:
        if isinstance(node, Choice):
            index = _entered(node, values.get(walked, MISSING), parts[0])
            source, node = join(source, f"choice.{index}"), node.options[index]
        if not isinstance(node, dict) or parts[0] not in node:
            break
        node, source, walked = node[parts[0]], join(source, parts[0]), join(walked, parts[0])
        parts = parts[1:]
    if isinstance(node, Choice) and not parts and walked in values:
        source = join(source, f"choice.{_entered(node, values[walked], '')}")
    return join(source, ".".join(parts))


def join(path: str, key: str) -> str:
    """Return the dotted path of a key below a path; either may be empty."""
    return f"{path}.{key}" if path and key else path or key


def _picked(domain: Domain, label: Label, path: str) -> Any:
    try:
        return domain.pick(label)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _entered(node: Choice, label: Any, part: str) -> int:
    if label is not MISSING:
        return node.place(label)
    holding = [index for index, option in enumerate(node.options) if isinstance(option, dict) and part in option]
    return holding[0] if holding else 0


def _joined(parts: Iterable[Values]) -> Values:
    return {path: label for part in parts for path, label in part.items()}


def _inside(node: Any) -> Iterator[Any]:
    yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _inside(item)


def _misspelt(node: dict[str, Any]) -> str | None:
    # "int" is left out: `hint` and `ints` are honest keys.
    key = next(iter(node), "")
    near = get_close_matches(key.lower(), [kind for kind in KINDS if kind != "int"], n=1, cutoff=0.75)
    return near[0] if len(node) == 1 and near and isinstance(node[key], list) else None
