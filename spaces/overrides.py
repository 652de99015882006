"""Values of a space set on the command line: `--set train.epochs=3`."""

from __future__ import annotations

from collections.abc import Sequence

from spaces.document import Document, YamlValue, parse_value
from spaces.errors import SET_LINE, LocatedProblem, file_error
from spaces.fallback import FALLBACK_KEY
from spaces.label import describe_value
from spaces.template import join_path


def set_values(document: Document, settings: Sequence[str]) -> Document:
    """Return a document with other values for some keys.

    `settings` are texts KEY=VALUE; a key is a dotted path, its value YAML. A key that the fallback replaces is set
    there, too. Raises UserError that lists all settings that cannot be read.
    """
    problems: list[LocatedProblem] = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        path = path.strip()
        if not equals or not all(path.split(".")):
            message = "expected KEY=VALUE, such as train.epochs=3"
            problems.append(LocatedProblem(SET_LINE, setting, message))
            continue
        value, unreadable = parse_value(text, path)
        problems += [LocatedProblem(SET_LINE, path, problem.message) for problem in unreadable]
        try:
            document = _set_value(document, path, value)
        except ValueError as error:
            problems.append(LocatedProblem(SET_LINE, path, str(error)))
    if problems:
        raise file_error(document.file, problems)
    return document


def _set_value(document: Document, path: str, value: YamlValue) -> Document:
    tree, keys, lines = document.tree, path.split("."), dict(document.lines)
    paths = [keys]
    if FALLBACK_KEY in tree and _holds(tree[FALLBACK_KEY], keys):
        paths.append([FALLBACK_KEY, *keys])
    for place in paths:
        tree = _assign(tree, place, value)
        inner = f"{'.'.join(place)}."
        lines = {key: line for key, line in lines.items() if not f"{key}.".startswith(inner)}
        for end in range(1, len(place) + 1):
            lines.setdefault(".".join(place[:end]), SET_LINE)
    return Document(document.file, tree, lines)


def _assign(node: YamlValue, keys: list[str], value: YamlValue, walked: str = "") -> YamlValue:
    """Return a copy of a node with another value below these keys."""
    if not keys:
        return value
    key, inner = keys[0], join_path(walked, keys[0])
    if isinstance(node, list):
        if not key.isdecimal() or int(key) >= len(node):
            raise ValueError(f"{walked} is a list; expected a number below {len(node)} after it")
        return [_assign(item, keys[1:], value, inner) if i == int(key) else item for i, item in enumerate(node)]
    if node is not None and not isinstance(node, dict):
        raise ValueError(f"{walked} is {describe_value(node)}, which has no keys")
    mapping = node or {}
    return {**mapping, key: _assign(mapping.get(key), keys[1:], value, inner)}


def _holds(node: YamlValue, keys: list[str]) -> bool:
    return not keys or (isinstance(node, dict) and keys[0] in node and _holds(node[keys[0]], keys[1:]))
