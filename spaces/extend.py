"""What changed between two versions of a space, other than what merely extends a finished experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from spaces.domain import Choice
from spaces.label import text
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.template import MISSING, join


def changes(old: Space, new: Space) -> list[str]:
    """Return the dotted keys that changed and matter to what a student is, but for what only asks for more students."""
    sections = _sections(old), _sections(new)
    found = [*_differences(_complete(old.template), _complete(new.template)), *_differences(*sections)]
    return list(dict.fromkeys(found))


def _sections(space: Space) -> dict[str, Any]:
    parts = {name: getattr(space, name) for name in ("search", "confirm", "table", "resources")}
    dumped = {name: part.model_dump() if part else None for name, part in parts.items()}
    return {"seeds": space.seeds, "teacher": {"seeds": space.teacher_seeds}, **dumped}


def _complete(template: dict[str, Any]) -> dict[str, Any]:
    """Spell out the defaults, so that writing one down is no change."""
    default = Recipe().model_dump(exclude={"seed": True, "teacher": {"seed"}})
    tree = {part: template.get(part, default[part]) for part in default}
    teacher = _over(default["teacher"], tree["teacher"])
    tree["teacher"] = {**teacher, "train": _over(default["train"], teacher["train"])} if _mapping(teacher) else teacher
    named = {part: _over({"name": default[part]["name"]}, tree[part]) for part in ("data", "method")}
    return {**tree, **named, "train": _over(default["train"], tree["train"])}


def _over(defaults: dict[str, Any], given: Any) -> Any:
    return {**defaults, **given} if _mapping(given) else given


def _mapping(node: Any) -> bool:
    return isinstance(node, dict)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(old.get(key, MISSING), new.get(key, MISSING), join(path, key))
    elif isinstance(old, Choice) and isinstance(new, Choice):
        yield from _options(old, new, path)
    elif not _same(old, new) and not _EXTENDS.get(path, _never)(old, new):
        yield path


def _options(old: Choice, new: Choice, path: str) -> Iterator[str]:
    known = {text(label) for label in new.labels}
    kept = [label for label in old.labels if text(label) in known]
    if len(kept) < len(old.labels):
        yield path
    for label in kept:
        yield from _differences(old.pick(label), new.pick(label), path)


def _same(old: Any, new: Any) -> bool:
    # To Python True is 1; to a method it may not be.
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def _never(old: Any, new: Any) -> bool:
    return False


def _longer(old: list[int], new: list[int]) -> bool:
    return set(old) <= set(new)


def _larger(old: int | None, new: int | None) -> bool:
    return old is not None and new is not None and old <= new


def _whatever(old: Any, new: Any) -> bool:
    return True


# Paths that may grow, or do not matter to what a student is; everything else has to stay as it was.
_EXTENDS: dict[str, Callable[[Any, Any], bool]] = {
    "seeds": _longer,
    "teacher.seeds": _longer,
    "confirm.seeds": _longer,
    "confirm.top": _larger,
    "search.trials": _larger,
    "search.hours": _whatever,
    "resources.gpus": _whatever,
    "resources.workers": _whatever,
    "resources.pack": _whatever,
}
