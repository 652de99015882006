"""A data set and the outputs of its trained teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from spaces.recipe import Recipe
from spaces.training import AugmentPolicy
from trainables.augment import policy_name
from trainables.data import Dataset
from trainables.methods import method_requirements

NO_OUTPUTS: Mapping = MappingProxyType({})


class RequestedOutputs(NamedTuple):
    """Outputs requested from a teacher beside its logits.

    `layers` are names of layers to observe, `policies` the augmentations with logits for each view. They are of the
    training images, and with `validation` of the validation images, too.
    """

    layers: tuple[str, ...] = ()
    policies: tuple[AugmentPolicy, ...] = ()
    validation: bool = False


class TeacherOutputs(NamedTuple):
    """A teacher's logits [n, classes], float32, for the images of each split.

    `views` are logits [views, n, classes] of the training images by policy, in float16 if they are large. `features`
    are activations [n, ...] of the training images by layer, if they are small enough for the cache. Both may be memory
    maps of cached files. `val_views` and `val_features` are those of the validation images, on request. `weights`
    rebuild the teacher, which then computes the layers that are not in `features`.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    views: Mapping[AugmentPolicy, np.ndarray] = NO_OUTPUTS
    features: Mapping[str, np.ndarray] = NO_OUTPUTS
    weights: Mapping[str, np.ndarray] = NO_OUTPUTS
    val_views: Mapping[AugmentPolicy, np.ndarray] = NO_OUTPUTS
    val_features: Mapping[str, np.ndarray] = NO_OUTPUTS

    def by_value(self) -> TeacherOutputs:
        """Return the outputs with arrays in place of mapped files.

        Mapped files are sent to another process as paths, which other machines do not have.
        """
        mappings = ("views", "features", "val_views", "val_features")
        copied: dict[str, Any] = {
            name: {key: np.asarray(array) for key, array in getattr(self, name).items()} for name in mappings
        }
        return self._replace(**copied)

    def join_validation(self) -> TeacherOutputs:
        """Return the outputs for `Dataset.join_validation`."""
        views = {policy: np.concatenate([logits, self.val_views[policy]], 1) for policy, logits in self.views.items()}
        features = {name: np.concatenate([value, self.val_features[name]]) for name, value in self.features.items()}
        train = np.concatenate([self.train, self.val])
        return self._replace(
            train=train, val=self.val[:0], views=views, features=features, val_views=NO_OUTPUTS, val_features=NO_OUTPUTS
        )


class DistillationData(NamedTuple):
    """A data set and the outputs of its teacher.

    The baseline has no teacher.
    """

    data: Dataset
    teacher: TeacherOutputs | None

    def for_recipe(self, recipe: Recipe) -> DistillationData:
        """Return the data for the training of a recipe.

        With `train_on: all` the validation images are training images, and none are left.
        """
        if recipe.train_on != "all":
            return self
        return DistillationData(self.data.join_validation(), self.teacher and self.teacher.join_validation())


def requested_outputs(recipes: Iterable[Recipe], *, validation: bool = False) -> RequestedOutputs:
    """Return all outputs requested by the students of these recipes.

    `validation`: students of other stages train on the validation images.
    """
    recipes = list(recipes)
    validation = validation or any(recipe.train_on == "all" for recipe in recipes)
    layers = {layer for recipe in recipes for layer in method_requirements(recipe.method).teacher_layers}
    # The recipes are probes of a space, not all its students: another student may combine this policy with a method.
    distilled = any(recipe.method.name != "none" for recipe in recipes)
    policies = {recipe.train.augment_policy for recipe in recipes if distilled and recipe.train.augment_policy}
    sorted_policies = tuple(sorted(policies, key=policy_name))
    return RequestedOutputs(tuple(sorted(layers)), sorted_policies, validation and bool(layers or policies))
