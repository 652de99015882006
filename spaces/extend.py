"""Comparison of two versions of a space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from spaces.document import Tree
from spaces.domain import Choice, Node
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.template import MISSING, join_path


def changed_keys(old: Space, new: Space) -> list[str]:
    """Return the dotted paths of keys with a changed value.

    Changes that only add students are left out, and so are keys without influence on a student.
    """
    recipe_changes = _differences(_with_defaults(old.template), _with_defaults(new.template))
    return list(dict.fromkeys([*recipe_changes, *_differences(_section_tree(old), _section_tree(new))]))


def _section_tree(space: Space) -> Tree:
    sections = {name: getattr(space, name) for name in ("search", "confirm", "baseline", "table", "resources")}
    dumped = {name: section.model_dump(by_alias=True) if section else None for name, section in sections.items()}
    return {"seeds": space.seeds, "teacher": {"seeds": space.teacher_seeds}, **dumped}


def _with_defaults(template: dict[str, Node]) -> dict[str, Node]:
    """Add the defaults: a default written into the file is no change."""
    default = Recipe().model_dump(exclude={"seed": True, "train_on": True, "teacher": {"seed"}})
    tree = {part: template.get(part, default[part]) for part in default}
    teacher = _merge_defaults(default["teacher"], tree["teacher"])
    if isinstance(teacher, dict):
        teacher = {**teacher, "train": _merge_defaults(default["train"], teacher["train"])}
    named = {part: _merge_defaults({"name": default[part]["name"]}, tree[part]) for part in ("data", "method")}
    return {**tree, "teacher": teacher, **named, "train": _merge_defaults(default["train"], tree["train"])}


def _merge_defaults(defaults: dict[str, Node], node: Node) -> Node:
    return {**defaults, **node} if isinstance(node, dict) else node


def _differences(old: Node, new: Node, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(old.get(key, MISSING), new.get(key, MISSING), join_path(path, key))
    elif isinstance(old, Choice) and isinstance(new, Choice):
        yield from _choice_differences(old, new, path)
    elif not _is_same(old, new) and not (path in _MAY_CHANGE and _MAY_CHANGE[path](old, new)):
        yield path


def _choice_differences(old: Choice, new: Choice, path: str) -> Iterator[str]:
    kept = [label for label in old.labels if new.has_label(label)]
    if len(kept) < len(old.labels) or old.prior != new.prior:
        yield path
    for label in kept:
        yield from _differences(old.value_of(label), new.value_of(label), path)


def _is_same(old: object, new: object) -> bool:
    # True == 1 in Python; a method may treat them differently.
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _has_all(old: list[int], new: list[int]) -> bool:
    return set(old) <= set(new)


def _is_larger(old: int | None, new: int | None) -> bool:
    return old is not None and new is not None and old <= new


def _is_added(old: object, new: object) -> bool:
    return old is None


def _always(old: object, new: object) -> bool:
    return True


# Keys that may change in this way; every other key must stay as it is.
_MAY_CHANGE: dict[str, Callable[[Any, Any], bool]] = {
    "seeds": _has_all,
    "teacher.seeds": _has_all,
    "confirm.seeds": _has_all,
    "confirm.top": _is_larger,
    "baseline": _is_added,
    "baseline.trials": _is_larger,
    "search.trials": _is_larger,
    "search.hours": _always,
    "resources.gpus": _always,
    "resources.workers": _always,
    "resources.pack": _always,
}
