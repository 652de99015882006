"""Resolution of `precision: auto` in the tree of a space."""

from __future__ import annotations

from spaces.document import Tree, YamlValue
from spaces.recipe import TEACHER_FILES


def resolve_precision(tree: Tree, precision: str) -> Tree:
    """Replace precision `auto`, written or implied, for student and teacher."""
    teacher = _resolve_teacher(tree.get("teacher", {}), precision)
    return {**tree, "train": _resolve_train(tree.get("train", {}), precision), "teacher": teacher}


def _resolve_teacher(node: YamlValue, precision: str) -> YamlValue:
    if isinstance(node, dict) and "choice" in node:
        return {"choice": [_resolve_teacher(option, precision) for option in node["choice"]]}
    if not isinstance(node, dict) or any(node.get(key) for key in TEACHER_FILES):
        return node  # a network in a file is not trained
    if "ensemble" in node:
        return {**node, "ensemble": [_resolve_teacher(member, precision) for member in node["ensemble"]]}
    own_teacher = {"teacher": _resolve_teacher(node["teacher"], precision)} if "teacher" in node else {}
    return {**node, **own_teacher, "train": _resolve_train(node.get("train", {}), precision)}


def _resolve_train(node: YamlValue, precision: str) -> YamlValue:
    if "choice" in node:
        return {"choice": [_resolve_train(option, precision) for option in node["choice"]]}
    return {**node, "precision": _resolve_value(node.get("precision", "auto"), precision)}


def _resolve_value(value: YamlValue, precision: str) -> YamlValue:
    if isinstance(value, dict):
        options = [precision if option == "auto" else option for option in value["choice"]]
        return {"choice": list(dict.fromkeys(options))}
    return precision if value == "auto" else value
