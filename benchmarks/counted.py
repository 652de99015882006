"""A plugin: the assignment's CNN, which notes in a file how many images it was shown while it was not learning."""

import os

import ray

from trainables.models import MODELS


def counted_cnn(shape, classes):
    """The assignment's CNN; one line per batch that it answers goes to the file $KD_COUNT.

    Not for those that the estimate shows to an untrained one, before there is a Ray.
    """
    model = MODELS["cnn"](shape, classes)
    model.register_forward_hook(_note)
    return model


def _note(model, inputs, _output):
    if ray.is_initialized() and not model.training and inputs[0].device.type != "meta":
        with open(os.environ["KD_COUNT"], "a") as file:
            file.write(f"{len(inputs[0])}\n")


MODELS["counted_cnn"] = counted_cnn
