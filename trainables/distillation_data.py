"""What every student is taught from: the data, and the teacher's answers to it, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from spaces.recipe import Policy, Recipe
from trainables.augment import name
from trainables.data import Dataset
from trainables.methods import needs

NO_OUTPUTS: Mapping = MappingProxyType({})


class RequestedOutputs(NamedTuple):
    """What students ask of a teacher beside its logits: activations of layers, and answers to views of the images."""

    layers: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()


class TeacherOutputs(NamedTuple):
    """A teacher's logits [n, classes], float32, for every image of each split, in the data set's order.

    `views` holds logits [views, n, classes] of the training images by policy, in float16 where they are large;
    `features` activations [n, ...] of their layers, as far as they are small enough to be kept; both may be mapped from
    a teacher's files. `weights` is the teacher itself, to ask it for the others.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    views: Mapping[Policy, np.ndarray] = NO_OUTPUTS
    features: Mapping[str, np.ndarray] = NO_OUTPUTS
    weights: Mapping[str, np.ndarray] = NO_OUTPUTS


class DistillationData(NamedTuple):
    """A data set and a teacher's answers to it; `teacher` is None for students that learn from labels alone."""

    data: Dataset
    teacher: TeacherOutputs | None

    def in_memory(self) -> DistillationData:
        """The same with copies of those answers that are mapped from files, which other machines may not have."""
        if self.teacher is None:
            return self
        views = {policy: np.array(each) for policy, each in self.teacher.views.items()}
        features = {name: np.array(each) for name, each in self.teacher.features.items()}
        return self._replace(teacher=self.teacher._replace(views=views, features=features))


def requested_outputs(recipes: Iterable[Recipe]) -> RequestedOutputs:
    """What the students of these recipes together ask of their teacher."""
    found = list(recipes)
    layers = {layer for recipe in found for layer in needs(recipe.method).teacher}
    # Of a space these are probes, not all its students: a policy may stand beside no method here and one there.
    listening = any(recipe.method.name != "none" for recipe in found)
    policies = {recipe.train.policy for recipe in found if listening and recipe.train.policy}
    return RequestedOutputs(tuple(sorted(layers)), tuple(sorted(policies, key=name)))
