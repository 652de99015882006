"""YAML dialect of spaces: version 1.2 for numbers and booleans, no aliases, bounded depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import yaml

MAX_DEPTH = 32  # nested levels
TAG_PREFIX = "tag:yaml.org,2002:"


def _parse_float(text: str) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))


def _parse_int(text: str) -> int:
    # Python refuses to parse thousands of digits, and any such number is too large.
    return int(text) if len(text) < 100 else 2**64


CONVERTERS: dict[str, Callable[[str], bool | int | float | None]] = {
    TAG_PREFIX + "null": lambda text: None,
    TAG_PREFIX + "bool": lambda text: {"true": True, "false": False}[text.lower()],
    TAG_PREFIX + "int": _parse_int,
    TAG_PREFIX + "float": _parse_float,
}
_PATTERNS = {
    "null": r"(~|null|Null|NULL|)\Z",
    "bool": r"(true|True|TRUE|false|False|FALSE)\Z",
    "int": r"[-+]?[0-9]+\Z",
    "float": r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z",
}


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML requires a class attribute)
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases and deep nesting before any object is built."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refusal("found an anchor or alias (& or *); write the value out", event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refusal(f"nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Repeat equal values: the loader refuses aliases."""
        return True


def _refusal(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast(yaml.Mark, event.start_mark))


for _name, _pattern in _PATTERNS.items():
    # The dumper keeps the rules of YAML 1.1 too, so that it quotes every string that either version would convert.
    Loader.add_implicit_resolver(TAG_PREFIX + _name, re.compile(_pattern), None)
    Dumper.add_implicit_resolver(TAG_PREFIX + _name, re.compile(_pattern), None)
