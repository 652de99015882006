"""Fallback of a space: keys replaced if the data is missing."""

from __future__ import annotations

from spaces.document import Document, Tree, YamlValue
from spaces.domain import DOMAIN_KINDS
from spaces.errors import LocatedProblem
from spaces.template import join_path

FALLBACK_KEY = "fallback"


def without_fallback(document: Document) -> Document:
    """Return the document without its fallback."""
    tree = {key: item for key, item in document.tree.items() if key != FALLBACK_KEY}
    return Document(document.file, tree, document.lines)


def merge_fallback(document: Document) -> Document:
    """Return the document with its fallback merged over the rest.

    The lines of replaced keys are those inside the fallback.
    """
    lines = {path: line for path, line in document.lines.items() if not _is_inside(path, FALLBACK_KEY)}
    base = without_fallback(document).tree
    tree = _merge(base, document.tree[FALLBACK_KEY], "", document.lines, lines)
    return Document(document.file, tree, lines)


def locate_in_fallback(problem: LocatedProblem, document: Document) -> LocatedProblem:
    """Return a problem of the merged space with its path in the file."""
    if problem.line in {line for path, line in document.lines.items() if _is_inside(path, FALLBACK_KEY)}:
        return problem._replace(path=join_path(FALLBACK_KEY, problem.path))
    return problem._replace(message=f"{problem.message} (together with {FALLBACK_KEY})")


def _merge(base: YamlValue, block: YamlValue, path: str, all_lines: dict[str, int], lines: dict[str, int]) -> YamlValue:
    """Merge a block over a base.

    The lines of replaced keys are copied from `all_lines` into `lines`.
    """
    if not _is_plain_mapping(base) or not _is_plain_mapping(block):
        for replaced in [line_path for line_path in lines if _is_inside(line_path, path)]:
            del lines[replaced]
        prefix = join_path(FALLBACK_KEY, path)
        for source in [line_path for line_path in all_lines if _is_inside(line_path, prefix)]:
            lines[source.removeprefix(f"{FALLBACK_KEY}.")] = all_lines[source]
        return block
    tree: Tree = dict(base)
    for key, item in block.items():
        tree[key] = _merge(base.get(key), item, join_path(path, key), all_lines, lines)
    return tree


def _is_inside(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


def _is_plain_mapping(node: YamlValue) -> bool:
    return isinstance(node, dict) and not set(node) & set(DOMAIN_KINDS)
