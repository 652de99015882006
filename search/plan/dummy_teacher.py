"""A lesson without a teacher having been taught: its network is untrained, its logits are random numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables.augment import views
from trainables.data import Dataset
from trainables.device import device, tensor
from trainables.distillation_data import DistillationData, TeacherOutputs, requested_outputs
from trainables.evaluate import respond
from trainables.models import build
from trainables.models.pooled import Pooled
from trainables.seeding import generator
from trainables.subclasses import pool

SPREAD = 3.0  # of random logits: about that of a network that was taught


def dummy_distillation_data(recipe: Recipe, data: Dataset) -> DistillationData:
    """All that a student of this recipe may ask of its teacher, always the same for the same networks and data."""
    if recipe.teacher is None:
        return DistillationData(data, None)
    model = build(recipe.teacher_recipes()[0].network, data.shape, len(data.classes), recipe.teacher.seed)
    asked = requested_outputs([recipe])
    train, subclasses = _logits(model, data, len(data.train.labels))
    known = _features(model, data, asked.layers) | subclasses
    val, test = (_logits(model, data, len(split.labels))[0] for split in (data.val, data.test))
    # One answer to all views, whose number may be large; expanded it takes no memory.
    shown = {policy: train.expand(views(policy), -1, -1).numpy() for policy in asked.policies}
    answers = TeacherOutputs(
        train=train.numpy(),
        val=val.numpy(),
        test=test.numpy(),
        views=shown,
        features={name: each.numpy() for name, each in known.items()},
        weights={name: value.cpu().numpy() for name, value in model.state_dict().items()},
    )
    return DistillationData(data, answers)


def _features(model: nn.Module, data: Dataset, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """The activations of an untrained teacher's layers."""
    if not layers and not getattr(model, "answers", ()):
        return {}
    found = respond(model.to(device()), tensor(data.train.images, device()), layers).features
    return {name: each.cpu() for name, each in found.items()}


def _logits(model: nn.Module, data: Dataset, n: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Random logits [n, classes], and those of the subclasses that they are pooled from, if there are any."""
    counts = model.counts if isinstance(model, Pooled) else [1] * len(data.classes)
    found = SPREAD * torch.randn(n, sum(counts), generator=generator(0, "rehearsal"))
    return pool(found, counts), {"subclasses": found} if isinstance(model, Pooled) else {}
