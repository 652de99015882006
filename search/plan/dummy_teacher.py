"""Dummy teacher: random logits, and features of an untrained network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables.augment import view_count
from trainables.data import Dataset
from trainables.device import process_device, to_tensor
from trainables.distillation_data import DistillationData, TeacherOutputs, requested_outputs
from trainables.evaluate import predict_output
from trainables.models import build_network
from trainables.models.subclass_pooling import SubclassPooling
from trainables.subclasses import pool_subclasses

LOGIT_DEVIATION = 3.0  # standard deviation of random logits, about that of a trained network
LOGIT_SEED = 7134429242151896699  # the recorded bits of tests/trainables/golden.json depend on it


def dummy_distillation_data(recipe: Recipe, data: Dataset) -> DistillationData:
    """Return data with dummy teacher outputs.

    They include all requests of the recipe. Equal networks and data give equal outputs.
    """
    if recipe.teacher is None:
        return DistillationData(data, None)
    model = build_network(recipe.teacher_recipes()[0].network, data.shape, len(data.classes), recipe.teacher.seed)
    requested = requested_outputs([recipe])
    train, subclasses = _random_logits(model, data, len(data.train.labels))
    features = _untrained_features(model, data, requested.layers) | subclasses
    val, test = (_random_logits(model, data, len(split.labels))[0] for split in (data.val, data.test))
    # The same logits for all views, of which there may be many: an expanded tensor takes no memory.
    views = {policy: train.expand(view_count(policy), -1, -1).numpy() for policy in requested.policies}
    outputs = TeacherOutputs(
        train=train.numpy(),
        val=val.numpy(),
        test=test.numpy(),
        views=views,
        features={name: values.numpy() for name, values in features.items()},
        weights={name: value.cpu().numpy() for name, value in model.state_dict().items()},
    )
    return DistillationData(data, outputs)


def _untrained_features(model: nn.Module, data: Dataset, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the activations of these layers of an untrained teacher."""
    if not layers and not getattr(model, "extra_outputs", ()):
        return {}
    images = to_tensor(data.train.images, process_device())
    features = predict_output(model.to(process_device()), images, layers).features
    return {name: values.cpu() for name, values in features.items()}


def _random_logits(model: nn.Module, data: Dataset, n: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Return random logits [n, classes], and those of subclasses if any."""
    counts = model.counts if isinstance(model, SubclassPooling) else [1] * len(data.classes)
    logits = LOGIT_DEVIATION * torch.randn(n, sum(counts), generator=torch.Generator().manual_seed(LOGIT_SEED))
    return pool_subclasses(logits, counts), {"subclasses": logits} if isinstance(model, SubclassPooling) else {}
