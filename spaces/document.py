"""YAML reader with line numbers, and writer.

Numbers and booleans follow YAML 1.2: `1e-3` is a number, `no` is a string.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from spaces.errors import LocatedProblem, UserError, closest_match, did_you_mean, file_error
from spaces.syntax_errors import colon_hint, syntax_problem
from spaces.yaml_dialect import CONVERTERS, TAG_PREFIX, Dumper, Loader

MAX_BYTES = 64 * 1024

YamlValue = Any  # a scalar, a list or a mapping: what YAML can hold
Tree = dict[str, YamlValue]


@dataclass(frozen=True)
class Document:
    """Tree of a YAML file.

    `lines` maps dotted paths to line numbers, counted from 1.
    """

    file: str
    tree: Tree
    lines: dict[str, int]


def read_document(path: str | Path) -> Document:
    """Read a YAML file of one mapping.

    Raises UserError with file and line for any other content.
    """
    file, text = str(path), _read_text(Path(path))
    try:
        node = Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise file_error(file, [syntax_problem(error, text)]) from None
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{file}:1: {'found no mapping' if node else 'the file is empty'}; expected keys like train:")
    draft = _DocumentDraft({"": 1}, [])
    tree = _read_mapping(node, "", draft)
    if draft.problems:
        raise file_error(file, draft.problems)
    return Document(file, tree, draft.lines)


def parse_value(text: str, path: str) -> tuple[YamlValue, list[LocatedProblem]]:
    """Return a value written as YAML, and its problems.

    `path` is its place in a document.
    """
    draft = _DocumentDraft({}, [])
    try:
        node = Loader(text).get_single_node()
    except yaml.YAMLError as error:
        return None, [syntax_problem(error, text)]
    return (None if node is None else _read_value(node, path, draft)), draft.problems


def find_space_file(path: str | Path) -> Path:
    """Return the path of a space.

    A bare name without such a file is the name of a shipped space.
    """
    file = Path(path)
    if file.suffix or file.name != str(path) or file.exists():
        return file
    return next((shipped for shipped in _shipped_files() if shipped.stem == file.name), file)


def dump_yaml(tree: Tree) -> str:
    """Return a tree as YAML text, keys in the same order."""
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=120)


def find_line(lines: dict[str, int], path: str) -> int:
    """Return the line of a dotted path, or of its nearest parent."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)


class _DocumentDraft(NamedTuple):
    lines: dict[str, int]
    problems: list[LocatedProblem]


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "" if path.exists() else _similar_file(path)
        raise UserError(f"{path}: {error.strerror}{hint}") from None
    if len(raw) > MAX_BYTES:
        raise UserError(f"{path}:1: more than {MAX_BYTES // 1024} KB, the most for a space")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{number}: not UTF-8 text") from None


def _similar_file(path: Path) -> str:
    """Return a suggestion among the files in the same folder and the shipped spaces."""
    beside = sorted(path.parent.glob("*.yaml"))
    names = {file.stem: str(file) for file in [*_shipped_files(), *beside]}
    match = closest_match(path.stem, names)
    return f"; did you mean {names[match]}?" if match else did_you_mean(str(path), map(str, beside))


def _shipped_files() -> list[Path]:
    """Return the spaces of this package, relative to the working directory if they are in it."""
    here = Path.cwd()
    files = sorted(Path(__file__).resolve().parent.glob("*.yaml"))
    return [file.relative_to(here) if file.is_relative_to(here) else file for file in files]


def _read_value(node: yaml.Node, path: str, draft: _DocumentDraft) -> YamlValue:
    if not isinstance(node, yaml.ScalarNode) and node.tag not in (TAG_PREFIX + "map", TAG_PREFIX + "seq"):
        draft.problems.append(
            LocatedProblem(node.start_mark.line + 1, path, f"found the tag {node.tag}, which is not allowed")
        )
    if isinstance(node, yaml.MappingNode):
        return _read_mapping(node, path, draft)
    if isinstance(node, yaml.SequenceNode):
        return [_read_item(item, f"{path}.{index}", draft) for index, item in enumerate(node.value)]
    return _read_scalar(node, path, draft)


def _read_item(node: yaml.Node, path: str, draft: _DocumentDraft) -> YamlValue:
    draft.lines[path] = node.start_mark.line + 1
    return _read_value(node, path, draft)


def _read_mapping(node: yaml.MappingNode, path: str, draft: _DocumentDraft) -> Tree:
    tree: Tree = {}
    for key, value in node.value:
        number = key.start_mark.line + 1
        if key.tag != TAG_PREFIX + "str" or not key.value or "." in key.value:
            hint = colon_hint(key.value) if key.tag == TAG_PREFIX + "str" else ""
            message = f"found a key that is no text or has a dot; {hint or 'expected a plain name'}"
            draft.problems.append(LocatedProblem(number, path, message))
            continue
        inner = f"{path}.{key.value}" if path else key.value
        if key.value in tree:
            message = f"duplicate key; the first is on line {draft.lines[inner]}"
            draft.problems.append(LocatedProblem(number, inner, message))
            continue
        draft.lines[inner] = number
        tree[key.value] = _read_value(value, inner, draft)
    return tree


def _read_scalar(node: yaml.Node, path: str, draft: _DocumentDraft) -> YamlValue:
    text, number = node.value, node.start_mark.line + 1
    if node.tag == TAG_PREFIX + "str":
        return text
    try:
        value = CONVERTERS[node.tag](text)
    except (KeyError, ValueError):
        draft.problems.append(
            LocatedProblem(number, path, f"found {text[:40]!r} tagged {node.tag}, which is not allowed")
        )
        return None
    too_large = isinstance(value, int) and abs(value) >= 2**63
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        wrong = "a number beyond 64 bits" if too_large else "a number that is not finite"
        draft.problems.append(LocatedProblem(number, path, f"found {text[:40]}, {wrong}"))
    return value
