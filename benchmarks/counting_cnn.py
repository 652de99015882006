"""Plugin: the assignment's CNN, which counts the images of its forward passes outside training."""

import os

import ray

from trainables.models import MODELS


def counting_cnn(shape, classes):
    """Return the CNN; every evaluated batch appends its size to the file $KD_COUNT.

    Batches before Ray has started are not counted: they belong to the time estimate.
    """
    model = MODELS["cnn"](shape, classes)
    model.register_forward_hook(_count_images)
    return model


def _count_images(model, inputs, _output):
    if ray.is_initialized() and not model.training and inputs[0].device.type != "meta":
        with open(os.environ["KD_COUNT"], "a") as file:
            file.write(f"{len(inputs[0])}\n")


MODELS["counting_cnn"] = counting_cnn
