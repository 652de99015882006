"""Which students can be trained as one: those whose recipes differ in numbers only."""

from __future__ import annotations

import json

from spaces.recipe import Recipe
from trainables.knobs import FirstStage, marked, schema
from trainables.methods import METHODS

# Networks whose every layer can hold the weights of many students; a test trains each of them both ways.
NETWORKS = {"mlp", "cnn", "cnn3", "plain_cnn", "resnet_cifar"}
FREE = {"lr", "weight_decay"}  # of a training, beside the seed and the method's numbers


def numbers(recipe: Recipe) -> dict[str, float]:
    """The knobs of a method that may differ within a pack, given or by default: its numbers that are no counts.

    A first stage asks of a number whether it comes at all, which many students cannot answer as one.
    """
    function = METHODS[recipe.method.name]
    if marked(function, FirstStage):
        return {}
    fields = schema(function).model_fields.items()
    return {name: recipe.method.knobs.get(name, each.default) for name, each in fields if each.annotation is float}


def pack_key(recipe: Recipe) -> str | None:
    """What a recipe has in common with all that it can be trained with, as text; None where it must train alone.

    Alone are networks of other kinds, or that start from a file, and trainings of some layers, or that fit biases.
    """
    network, train = recipe.network, recipe.train
    fits_biases = train.omit is not None and train.omit.correct_bias
    if network.name not in NETWORKS or network.weights or train.layers or train.head_first or fits_biases:
        return None
    tree = recipe.model_dump(exclude={"seed": True, "train": FREE, "method": set(numbers(recipe))})
    return json.dumps(tree, sort_keys=True)
