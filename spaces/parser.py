"""Parser from a YAML tree to a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from spaces.document import Tree, YamlValue, find_line
from spaces.domain import DOMAIN_KINDS, LOG_KEY, Domain, Node, parse_choice, parse_range
from spaces.errors import LocatedProblem, did_you_mean
from spaces.prior import PRIOR_KEY, with_prior
from spaces.template import BROKEN_DOMAIN, join_path

BESIDE_KINDS = (LOG_KEY, PRIOR_KEY)
NAMED_PARTS = re.compile(r"data|method|student\.model|(teacher\.)+(model|method)")  # paths in a recipe


class TemplateParser:
    """Parser of one tree, with the problems of all its domains.

    `broken_paths` are the dotted paths of the domains that could not be parsed.
    """

    def __init__(self, lines: dict[str, int]) -> None:
        self.lines = lines
        self.problems: list[LocatedProblem] = []
        self.broken_paths: set[str] = set()

    def parse(self, node: Node, path: str = "", source: str = "") -> Node:
        """Return the template of a tree.

        `path` is the dotted path in a recipe, `source` the dotted path in the file.
        """
        if isinstance(node, list):
            return self._parse_list(node, path, source)
        if isinstance(node, str) and NAMED_PARTS.fullmatch(path):
            return {"name": node}  # `method: none` is short for `method: {name: none}`
        if not isinstance(node, dict):
            return node
        kinds = [key for key in node if key in DOMAIN_KINDS]
        if kinds:
            return self._parse_domain(node, kinds[0], path, source)
        if kind := _misspelled_kind(node):
            key = next(key for key in node if key not in BESIDE_KINDS)
            return self._add_problem(f"unknown key {key}; did you mean {kind}?", path, join_path(source, key))
        return {key: self.parse(item, join_path(path, key), join_path(source, key)) for key, item in node.items()}

    def _parse_domain(self, node: Tree, kind: str, path: str, source: str) -> Domain:
        if extra := [key for key in node if key not in (kind, *_keys_beside(kind))]:
            return self._add_problem(_extra_keys_message(kind, extra), path, source)
        try:
            domain = self._parse_values(node, kind, path, source)
        except ValueError as error:
            return self._add_problem(str(error), path, source)
        if PRIOR_KEY not in node or domain is BROKEN_DOMAIN:
            return domain
        try:
            return with_prior(domain, node[PRIOR_KEY])
        except ValueError as error:
            return self._add_problem(str(error), path, join_path(source, PRIOR_KEY))

    def _parse_values(self, node: Tree, kind: str, path: str, source: str) -> Domain:
        if kind != "choice":
            return parse_range(kind, node[kind], node.get(LOG_KEY, False))
        options = self._parse_options(node[kind], path, join_path(source, kind))
        if BROKEN_DOMAIN in options:
            return BROKEN_DOMAIN
        return parse_choice(node[kind], options, path.rpartition(".")[2])

    def _parse_options(self, raw_options: YamlValue, path: str, source: str) -> tuple[Node, ...]:
        options = raw_options if isinstance(raw_options, list) else []
        if any(isinstance(option, dict) and set(option) & set(DOMAIN_KINDS) for option in options):
            raise ValueError("an option that is itself a domain; expected values, lists or mappings with keys")
        return tuple(self.parse(option, path, f"{source}.{index}") for index, option in enumerate(options))

    def _parse_list(self, items: list[YamlValue], path: str, source: str) -> Node:
        if any(isinstance(node, dict) and set(node) & set(DOMAIN_KINDS) for node in _walk(items)):
            return self._add_problem("a domain inside a list; expected a choice among whole lists", path, source)
        return items

    def _add_problem(self, message: str, path: str, source: str) -> Domain:
        self.problems.append(LocatedProblem(find_line(self.lines, source), path, message))
        self.broken_paths.add(path)
        return BROKEN_DOMAIN


def _keys_beside(kind: str) -> tuple[str, ...]:
    return BESIDE_KINDS if kind in ("uniform", "int") else (PRIOR_KEY,)


def _extra_keys_message(kind: str, extra: list[str]) -> str:
    if extra == [LOG_KEY]:
        advice = "takes no log; it is logarithmic already" if kind == "loguniform" else "takes no log; only ranges do"
        return f"{kind} {advice}"
    return f"unknown key {extra[0]} beside {kind}{did_you_mean(extra[0], _keys_beside(kind))}"


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _walk(item)


def _misspelled_kind(node: Tree) -> str | None:
    keys = [key for key in node if key not in BESIDE_KINDS]
    if len(keys) != 1 or not isinstance(node[keys[0]], list):
        return None
    # "int" is left out: `hint` and `ints` may be keys of their own.
    kinds = [kind for kind in DOMAIN_KINDS if kind != "int"]
    return next(iter(get_close_matches(keys[0].lower(), kinds, n=1, cutoff=0.75)), None)
