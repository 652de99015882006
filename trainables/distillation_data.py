"""A data set and the outputs of its trained teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from spaces.recipe import Recipe
from spaces.training import AugmentPolicy
from trainables.augment import policy_name
from trainables.data import Dataset
from trainables.methods import method_requirements

NO_OUTPUTS: Mapping = MappingProxyType({})


class RequestedOutputs(NamedTuple):
    """Outputs requested from a teacher beside its logits.

    `layers` are names of layers to observe, `policies` the augmentations with logits for each view.
    """

    layers: tuple[str, ...] = ()
    policies: tuple[AugmentPolicy, ...] = ()


class TeacherOutputs(NamedTuple):
    """A teacher's logits [n, classes], float32, for the images of each split.

    `views` are logits [views, n, classes] of the training images by policy, in float16 if they are large. `features`
    are activations [n, ...] of the training images by layer, if they are small enough for the cache. Both may be memory
    maps of cached files. `weights` rebuild the teacher, which then computes the layers that are not in `features`.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    views: Mapping[AugmentPolicy, np.ndarray] = NO_OUTPUTS
    features: Mapping[str, np.ndarray] = NO_OUTPUTS
    weights: Mapping[str, np.ndarray] = NO_OUTPUTS

    def by_value(self) -> TeacherOutputs:
        """Return the outputs with arrays in place of mapped files.

        Mapped files are sent to another process as paths, which other machines do not have.
        """
        views = {policy: np.asarray(logits) for policy, logits in self.views.items()}
        return self._replace(views=views, features={name: np.asarray(value) for name, value in self.features.items()})


class DistillationData(NamedTuple):
    """A data set and the outputs of its teacher.

    The baseline has no teacher.
    """

    data: Dataset
    teacher: TeacherOutputs | None


def requested_outputs(recipes: Iterable[Recipe]) -> RequestedOutputs:
    """Return all outputs requested by the students of these recipes."""
    recipes = list(recipes)
    layers = {layer for recipe in recipes for layer in method_requirements(recipe.method).teacher_layers}
    # The recipes are probes of a space, not all its students: another student may combine this policy with a method.
    distilled = any(recipe.method.name != "none" for recipe in recipes)
    policies = {recipe.train.augment_policy for recipe in recipes if distilled and recipe.train.augment_policy}
    return RequestedOutputs(tuple(sorted(layers)), tuple(sorted(policies, key=policy_name)))
