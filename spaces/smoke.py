"""Smoke test: a space reduced to minimal training."""

from __future__ import annotations

from spaces.disk import expand_path
from spaces.document import Tree, YamlValue
from spaces.recipe import TEACHER_FILES

TRIALS = 2
VIEWS = 2


def shrink_tree(tree: Tree) -> Tree:
    """Return the tree with one epoch, one seed and two trials.

    Augmented images have two views.

    A grid keeps the first two options of each choice, or all options if one of them is a mapping.
    """
    tree = _without_absent_weights(tree)
    small = {**tree, "seeds": tree.get("seeds", [0])[:1], "train": _shrink_train(tree.get("train", {}))}
    small["teacher"] = _shrink_teacher(small.get("teacher", {}))
    search = tree.get("search", {})
    if "trials" in search:
        small["search"] = {**search, "trials": TRIALS}
    else:
        small = {key: small[key] if key == "search" else _shrink_choices(small[key]) for key in small}
    if "baseline" in tree:
        small["baseline"] = {"trials": TRIALS}
    if "confirm" in tree:
        small["confirm"] = {**tree["confirm"], "top": 1, "seeds": tree["confirm"]["seeds"][:1]}
    return small


def _shrink_teacher(node: YamlValue) -> YamlValue:
    if not isinstance(node, dict):
        return node
    if "choice" in node:
        return {"choice": [_shrink_teacher(option) for option in node["choice"]]}
    is_untrained = any(key in node for key in ("ensemble", *TEACHER_FILES))
    small: Tree = {} if is_untrained else {"train": _shrink_train(node.get("train", {}))}
    if "seeds" in node:
        small["seeds"] = node["seeds"][:1]
    if "teacher" in node:
        small["teacher"] = _shrink_teacher(node["teacher"])
    if "ensemble" in node:
        small["ensemble"] = [_shrink_teacher(member) for member in node["ensemble"]]
    return {**node, **small}


def _shrink_train(train: YamlValue) -> YamlValue:
    if "choice" in train:
        return {"choice": [_shrink_train(option) for option in train["choice"]]}
    if train.get("epochs") == 0:
        return train
    small = {**train, "epochs": 1, "warmup": 0}
    if train.get("head_first"):
        small |= {"epochs": 2, "head_first": _set_number(train["head_first"], "epochs", 1)}
    if train.get("augment"):
        small["augment"] = _set_number(train["augment"], "views", VIEWS)
    return small


def _set_number(part: YamlValue, key: str, number: int) -> YamlValue:
    """Set a key of a mapping, or of each option of a choice."""
    if "choice" in part:
        return {"choice": [option and _set_number(option, key, number) for option in part["choice"]]}
    return {**part, key: number}


def _without_absent_weights(node: YamlValue) -> YamlValue:
    """Remove published and missing initial weights.

    A smoke test downloads nothing. The weights of a teacher that is not trained stay.
    """
    if isinstance(node, list):
        return [_without_absent_weights(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_absent_weights(item)
        for key, item in node.items()
        if not (key == "weights" and "name" in node and _is_absent(item))
    }


def _is_absent(weights: YamlValue) -> bool:
    return isinstance(weights, str) and not expand_path(weights).exists()


def _shrink_choices(node: YamlValue) -> YamlValue:
    if isinstance(node, dict) and isinstance(node.get("choice"), list):
        options = node["choice"]
        has_mapping = any(isinstance(option, dict) for option in options)
        return {"choice": [_shrink_choices(option) for option in (options if has_mapping else options[:TRIALS])]}
    return {key: _shrink_choices(item) for key, item in node.items()} if isinstance(node, dict) else node
