"""Pack keys: students with equal keys can be trained together.

Their recipes differ in numbers only.
"""

from __future__ import annotations

import json

from spaces.recipe import Recipe
from trainables.knobs import FirstStage, knob_schema, marked_knobs
from trainables.methods import METHODS, knobs_with_defaults, method_requirements

# Networks in which vmap supports every layer. A test trains each of them stacked and alone.
PACKABLE_NETWORKS = {"mlp", "cnn", "cnn3", "plain_cnn", "resnet_cifar"}
VARIED_TRAIN_KEYS = {"lr", "weight_decay"}


def numeric_knobs(recipe: Recipe) -> dict[str, float]:
    """Return the float knobs of a method, set or by default.

    They may differ in a pack, except those of the method's module. A method with a first stage has none: it compares
    them in Python, which is one decision for all students.
    """
    function = METHODS[recipe.method.name]
    if marked_knobs(function, FirstStage):
        return {}
    fields = knob_schema(function).model_fields.items()
    names = [name for name, field in fields if field.annotation is float]
    knobs, fixed = knobs_with_defaults(recipe.method), method_requirements(recipe.method).module_knobs
    return {name: knobs[name] for name in names if name not in fixed}


def pack_key(recipe: Recipe) -> str | None:
    """Return the key of a student's pack, or None to train alone.

    Students train alone if their network is not packable or starts from a weights file, if their method's module cannot
    be stacked, if some layers are frozen, or if biases are corrected.
    """
    network, train = recipe.network, recipe.train
    if not method_requirements(recipe.method).stackable:
        return None
    corrects_biases = train.omit is not None and train.omit.correct_bias
    if network.name not in PACKABLE_NETWORKS or network.weights or train.layers or train.head_first or corrects_biases:
        return None
    tree = recipe.model_dump(exclude={"seed": True, "train": VARIED_TRAIN_KEYS, "method": set(numeric_knobs(recipe))})
    return json.dumps(tree, sort_keys=True)
