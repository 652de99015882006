"""Outputs of a network for a whole split.

The metrics that are computed from them are in spaces/metrics.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.output import Output, forward_with_layers, prepare_images

EVALUATION_BATCH = 1000  # images
# Limit for larger images: a batch of 1000 images of 224 × 224 pixels takes tens of GB in a deep network.
EVALUATION_PIXELS = EVALUATION_BATCH * 64 * 64


def predict_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return logits [n, classes], float32, in evaluation mode.

    `images` are uint8 [n, channels, height, width].
    """
    return predict_output(model, images).logits


@torch.no_grad()
def predict_output(model: nn.Module, images: Tensor, layers: Sequence[str] = ()) -> Output:
    """Return logits and the activations of `layers`, float32, in evaluation mode.

    `images` are uint8 [n, channels, height, width].
    """
    training = model.training
    model.eval()
    parts = images.split(evaluation_batch_size(model, images.shape[1:]))
    batches = [forward_with_layers(model, prepare_images(batch), layers) for batch in parts]
    model.train(training)
    features = {name: torch.cat([batch.features[name].float() for batch in batches]) for name in batches[0].features}
    return Output(torch.cat([batch.logits.float() for batch in batches]), features)


def evaluation_batch_size(model: nn.Module, shape: Sequence[int]) -> int:
    """Return the batch size for evaluating inputs of a shape.

    `shape` is that of one input. It is 1000 up to 64 × 64 pixels and smaller for larger images, also if the network
    resizes them. The last bits of the scores depend on it.
    """
    sides = [vars(module).get("resized_to", 0) for module in model.modules()]
    return max(1, min(EVALUATION_BATCH, EVALUATION_PIXELS // max(math.prod(shape[1:]), max(sides) ** 2)))
