"""YAML text as a plain tree, with the line on which each dotted path stands; and the way back.

Numbers and booleans follow YAML 1.2 (`1e-3` is a number, `no` is a word), because people write them that way.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from spaces.errors import Mistake, UserError, nearest, report

LARGEST = 64 * 1024  # bytes
DEEPEST = 32  # levels
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """A file as a plain tree of dicts, lists and scalars; `lines` maps dotted paths to line numbers from 1."""

    file: str
    tree: dict[str, Any]
    lines: dict[str, int]


def read(path: str | Path) -> Document:
    """Read one YAML mapping; raise UserError, naming file and line, for anything else."""
    file, text = str(path), _text(Path(path))
    try:
        node = _Reader(text).get_single_node()
    except yaml.YAMLError as error:
        raise report(file, [_syntax(error, text)]) from None
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{file}:1: {'found no mapping' if node else 'the file is empty'}; expected keys like train:")
    draft = _Draft({"": 1}, [])
    tree = _mapping(node, "", draft)
    if draft.mistakes:
        raise report(file, draft.mistakes)
    return Document(file, tree, draft.lines)


def write(tree: dict[str, Any]) -> str:
    """Return YAML that reads as an equal tree, in the same order."""
    return yaml.dump(tree, Dumper=_Writer, sort_keys=False, default_flow_style=None, width=120)


def line(lines: dict[str, int], path: str) -> int:
    """Return the line of a dotted path, or of its nearest parent that stands in the file."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)


class _Draft(NamedTuple):
    lines: dict[str, int]
    mistakes: list[Mistake]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        beside = sorted(str(other) for other in path.parent.glob("*.yaml")) if not path.exists() else []
        raise UserError(f"{path}: {error.strerror}{nearest(str(path), beside)}") from None
    if len(raw) > LARGEST:
        raise UserError(f"{path}:1: more than {LARGEST // 1024} KB; a space is a page of text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{number}: not UTF-8 text") from None


def _syntax(error: yaml.YAMLError, text: str) -> Mistake:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    # An unprintable character is found before parsing begins, so it has a position but no mark.
    number = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    if "\\t" in problem:
        problem = "found a tab; indent with spaces"
    if "single document" in str(getattr(error, "context", "")):
        problem = "found a second document (---); expected one"
    return Mistake(number, "", problem)


def _value(node: yaml.Node, path: str, draft: _Draft) -> Any:
    if not isinstance(node, yaml.ScalarNode) and node.tag not in (TAG + "map", TAG + "seq"):
        draft.mistakes.append(
            Mistake(node.start_mark.line + 1, path, f"found the tag {node.tag}, which is not allowed")
        )
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, draft)
    if isinstance(node, yaml.SequenceNode):
        return [_item(item, f"{path}.{index}", draft) for index, item in enumerate(node.value)]
    return _scalar(node, path, draft)


def _item(node: yaml.Node, path: str, draft: _Draft) -> Any:
    draft.lines[path] = node.start_mark.line + 1
    return _value(node, path, draft)


def _mapping(node: yaml.MappingNode, path: str, draft: _Draft) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in node.value:
        number = key.start_mark.line + 1
        if key.tag != TAG + "str" or not key.value or "." in key.value:
            draft.mistakes.append(
                Mistake(number, path, "found a key that is no text or has a dot; expected a plain name")
            )
            continue
        inner = f"{path}.{key.value}" if path else key.value
        if key.value in tree:
            found = f"duplicate key; the first is on line {draft.lines[inner]}"
            draft.mistakes.append(Mistake(number, inner, found))
            continue
        draft.lines[inner] = number
        tree[key.value] = _value(value, inner, draft)
    return tree


def _scalar(node: yaml.Node, path: str, draft: _Draft) -> Any:
    text, number = node.value, node.start_mark.line + 1
    if node.tag == TAG + "str":
        return text
    try:
        value = _CONVERT[node.tag](text)
    except (KeyError, ValueError):
        draft.mistakes.append(Mistake(number, path, f"found {text[:40]!r} tagged {node.tag}, which is not allowed"))
        return None
    too_large = isinstance(value, int) and abs(value) >= 2**63
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        wrong = "a number beyond 64 bits" if too_large else "a number that is not finite"
        draft.mistakes.append(Mistake(number, path, f"found {text[:40]}, {wrong}"))
    return value


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))


def _int(text: str) -> int:
    # Python refuses to read thousands of digits; the sign is enough to call such a number too large.
    return int(text) if len(text) < 100 else 2**64


_CONVERT = {
    TAG + "null": lambda text: None,
    TAG + "bool": lambda text: {"true": True, "false": False}[text.lower()],
    TAG + "int": _int,
    TAG + "float": _float,
}
_PATTERNS = {
    "null": r"(~|null|Null|NULL|)\Z",
    "bool": r"(true|True|TRUE|false|False|FALSE)\Z",
    "int": r"[-+]?[0-9]+\Z",
    "float": r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z",
}


class _Reader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own way to give a loader its rules)
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse what could make a small file large or deep, before anything is built from it."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("found an anchor or alias (& or *); write the value out", event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _refused(f"nested deeper than {DEEPEST} levels", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out each time: aliases would be refused on reading."""
        return True


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast(yaml.Mark, event.start_mark))


for _name, _pattern in _PATTERNS.items():
    # The writer keeps YAML 1.1's rules too, so that it quotes whatever either version would take for something else.
    _Reader.add_implicit_resolver(TAG + _name, re.compile(_pattern), None)
    _Writer.add_implicit_resolver(TAG + _name, re.compile(_pattern), None)
