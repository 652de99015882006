"""Keys of cached teachers.

A key is a hash of everything that the teacher's outputs depend on.
"""

from __future__ import annotations

import hashlib

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.named_files import named_file_digests
from trainables.plugin import plugin_fingerprint
from trainables.teachers.recorded_logits import names_digest
from trainables.weights.initial import initial_weight_digests
from trainables.weights.published import file_sha256
from trainables.weights.weights_file import find_weights_file

# Raise it when a change to the training code or the cache's files makes older caches invalid.
TRAINING_VERSION = 5
# Raise the version of a network or method when only its own teachers and students become invalid (0 if absent).
PART_VERSIONS = {"contrastive": 1, "ensemble": 1, "googlenet": 1, "timm": 1, "variational": 1}


def teacher_key(recipe: Recipe, data: Dataset) -> str:
    """Return the cache key of a recipe's teacher, 16 hex digits."""
    if recipe.teacher is None:
        raise ValueError("a recipe without a teacher")
    if recipe.teacher.ensemble:
        parts = [teacher_key(member, data) for member in member_recipes(recipe)]
    else:
        own = recipe.teacher_recipe()
        parts = [own.key(), data.fingerprint(), str(TRAINING_VERSION), plugin_fingerprint()]
        parts += [str(version) for version in part_versions(own).values() if version]
        if own.teacher is not None:
            parts.append(teacher_key(own, data))
        if recipe.teacher.weights:
            parts.append(file_sha256(find_weights_file(recipe.teacher.weights)))
        parts += initial_weight_digests(own, data)
        if own.network.name == "recorded":
            parts.append(names_digest(data))
        named = named_file_digests(recipe.teacher.model_dump(exclude={"teacher"}))
        parts += sorted(set(named.values()) - set(parts))  # files named by knobs
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def part_versions(recipe: Recipe) -> dict[str, int]:
    """Return the versions of a recipe's network and method, by name."""
    return {name: PART_VERSIONS.get(name, 0) for name in (recipe.network.name, recipe.method.name)}


def member_recipes(recipe: Recipe) -> list[Recipe]:
    """Return a recipe for each member of a recipe's teacher.

    A teacher other than an ensemble is its only member.
    """
    if recipe.teacher is None:
        raise ValueError("a recipe without a teacher")
    return [recipe.model_copy(update={"teacher": member}) for member in recipe.teacher.members()]


def all_teacher_keys(recipe: Recipe, data: Dataset) -> set[str]:
    """Return the keys of a recipe's teachers and their teachers."""
    if recipe.teacher is None:
        return set()
    keys = {teacher_key(member, data) for member in member_recipes(recipe)}
    return keys.union(*(all_teacher_keys(own, data) for own in recipe.teacher_recipes()))
