"""Trees made from a file's tree: the space with its `fallback` merged in, and the space with its precision settled."""

from __future__ import annotations

from typing import Any

from spaces.document import Document
from spaces.domain import KINDS
from spaces.errors import Mistake

BLOCK = "fallback"


def fallback(document: Document) -> Document:
    """Return the document with its `fallback` laid over the rest; lines point into the block where it has its say."""
    lines = {path: line for path, line in document.lines.items() if not _below(path, BLOCK)}
    base = {key: item for key, item in document.tree.items() if key != BLOCK}
    tree = _over(base, document.tree[BLOCK], "", document.lines, lines)
    return Document(document.file, tree, lines)


def located(mistake: Mistake, document: Document) -> Mistake:
    """Return a mistake of the merged space as the file has it: inside the block, or only together with it."""
    if mistake.line in {line for path, line in document.lines.items() if _below(path, BLOCK)}:
        return mistake._replace(path=f"{BLOCK}.{mistake.path}")
    return mistake._replace(message=f"{mistake.message} (together with {BLOCK})")


def with_precision(tree: dict[str, Any], precision: str) -> dict[str, Any]:
    """Return the tree with precision "auto", written or implied, replaced for student and teacher."""
    teacher = _settled_teacher(tree.get("teacher", {}), precision)
    return {**tree, "train": _settled_train(tree.get("train", {}), precision), "teacher": teacher}


def _over(base: Any, block: Any, path: str, old: dict[str, int], lines: dict[str, int]) -> Any:
    if not _mapping(base) or not _mapping(block):
        for known in [known for known in lines if _below(known, path)]:
            del lines[known]
        for known in [known for known in old if _below(known, f"{BLOCK}.{path}")]:
            lines[known.removeprefix(f"{BLOCK}.")] = old[known]
        return block
    tree = dict(base)
    for key, item in block.items():
        inner = f"{path}.{key}" if path else key
        tree[key] = _over(base.get(key), item, inner, old, lines)
    return tree


def _below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


def _mapping(node: Any) -> bool:
    return isinstance(node, dict) and not set(node) & set(KINDS)


def _settled_teacher(node: Any, precision: str) -> Any:
    if isinstance(node, dict) and "choice" in node:
        return {"choice": [_settled_teacher(option, precision) for option in node["choice"]]}
    if not isinstance(node, dict):
        return node
    if "ensemble" in node:
        return {**node, "ensemble": [_settled_teacher(member, precision) for member in node["ensemble"]]}
    behind = {"teacher": _settled_teacher(node["teacher"], precision)} if "teacher" in node else {}
    return {**node, **behind, "train": _settled_train(node.get("train", {}), precision)}


def _settled_train(node: Any, precision: str) -> Any:
    if "choice" in node:
        return {"choice": [_settled_train(option, precision) for option in node["choice"]]}
    return {**node, "precision": _settled(node.get("precision", "auto"), precision)}


def _settled(given: Any, precision: str) -> Any:
    if isinstance(given, dict):
        settled = [precision if option == "auto" else option for option in given["choice"]]
        return {"choice": list(dict.fromkeys(settled))}
    return precision if given == "auto" else given
