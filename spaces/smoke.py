"""The tree of a space made small: everything that the space does still happens once, and nothing happens often."""

from __future__ import annotations

from typing import Any

TRIALS = 2
VIEWS = 2


def shrunk(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree with one epoch, one seed, two trials, and two views of each image.

    A grid keeps the first two options of each choice, but every option that is a method or network of its own.
    """
    tree = _unpublished(tree)
    small = {**tree, "seeds": tree.get("seeds", [0])[:1], "train": _short(tree.get("train", {}))}
    small["teacher"] = _teacher(small.get("teacher", {}))
    search = tree.get("search", {})
    if "trials" in search:
        small["search"] = {**search, "trials": TRIALS}
    else:
        small = {key: small[key] if key == "search" else _few(small[key]) for key in small}
    if "confirm" in tree:
        small["confirm"] = {"top": 1, "seeds": tree["confirm"]["seeds"][:1]}
    return small


def _teacher(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if "choice" in node:
        return {"choice": [_teacher(option) for option in node["choice"]]}
    seeds = {"seeds": node["seeds"][:1]} if "seeds" in node else {}
    behind = {"teacher": _teacher(node["teacher"])} if "teacher" in node else {}
    behind |= {"ensemble": [_teacher(member) for member in node["ensemble"]]} if "ensemble" in node else {}
    train = {} if "ensemble" in node else {"train": _short(node.get("train", {}))}
    return {**node, **train, **seeds, **behind}


def _short(train: Any) -> Any:
    if "choice" in train:
        return {"choice": [_short(option) for option in train["choice"]]}
    short = {**train, "epochs": 1, "warmup": 0}
    if train.get("head_first"):
        short |= {"epochs": 2, "head_first": _with(train["head_first"], "epochs", 1)}
    if train.get("augment"):
        short["augment"] = _with(train["augment"], "views", VIEWS)
    return short


def _with(part: Any, key: str, number: int) -> Any:
    """A part with this number, or each option of a choice; what is absent stays so."""
    if "choice" in part:
        return {"choice": [option and _with(option, key, number) for option in part["choice"]]}
    return {**part, key: number}


def _unpublished(node: Any) -> Any:
    """The same without weights that would have to be fetched: a smoke test starts from a seed instead."""
    if isinstance(node, list):
        return [_unpublished(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _unpublished(each) for key, each in node.items() if (key, each) != ("weights", "imagenet")}


def _few(node: Any) -> Any:
    if isinstance(node, dict) and isinstance(node.get("choice"), list):
        options = node["choice"]
        whole = any(isinstance(option, dict) for option in options)
        return {"choice": [_few(option) for option in (options if whole else options[:TRIALS])]}
    return {key: _few(item) for key, item in node.items()} if isinstance(node, dict) else node
