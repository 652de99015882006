"""Outputs of a teacher: logits, and views and layers on request.

Decision: "Layers of up to 2,048 values per image are cached, larger ones recomputed" (docs/decisions.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from spaces.metric_functions import accuracy
from spaces.metrics import compute_metrics
from spaces.training import AugmentPolicy
from trainables.augment import apply_views, policy_name, view_count
from trainables.data import Dataset, Split
from trainables.data.dataset import UNLABELED
from trainables.device import process_device, to_tensor
from trainables.diagnose import diagnose_network
from trainables.distillation_data import RequestedOutputs, TeacherOutputs
from trainables.evaluate import evaluation_batch_size, predict_logits, predict_output
from trainables.models.recorded import RecordedNetwork
from trainables.output import has_layer, layer_activations, prepare_images
from trainables.teachers import cache
from trainables.teachers.recorded_logits import recorded_outputs

FLOAT32_BYTES = 4
MAX_FLOAT32_VIEW_BYTES = 2**28  # of all logits of views; more are stored as float16
MAX_CACHED_LAYER_VALUES = 2048  # per image; larger layers are computed in every training step


class ScoredOutputs(NamedTuple):
    """Outputs of a teacher, and its scores by name."""

    outputs: TeacherOutputs
    scores: dict[str, Any]


def compute_outputs(model: nn.Module, data: Dataset) -> ScoredOutputs:
    """Compute a network's logits for every image, and its scores.

    Recorded logits are read.
    """
    if isinstance(model, RecordedNetwork):
        recorded = recorded_outputs(model.file, data)
        return ScoredOutputs(recorded, dict(score_outputs(recorded, data)))
    device = process_device()
    split_outputs = {
        name: predict_output(model, to_tensor(split.images, device)) for name, split in _named_splits(data)
    }
    logits: dict[str, Any] = {name: output.logits.cpu().numpy() for name, output in split_outputs.items()}
    diagnosis = diagnose_network(split_outputs["test"], to_tensor(data.test.labels, device))
    outputs = TeacherOutputs(**logits)
    return ScoredOutputs(outputs, {**score_outputs(outputs, data), "diagnosis": diagnosis})


def average_outputs(members: Sequence[TeacherOutputs], data: Dataset) -> ScoredOutputs:
    """Average the probabilities of an ensemble's members, as logits.

    For every image, and for every view that the members have.
    """
    logits: dict[str, Any] = {
        name: _mean_logits([getattr(member, name) for member in members]) for name, _ in _named_splits(data)
    }
    views, val_views = (
        {
            policy: _mean_logits([getattr(member, name)[policy] for member in members], compact_logits)
            for policy in getattr(members[0], name)
        }
        for name in ("views", "val_views")
    )
    outputs = TeacherOutputs(**logits, views=views, val_views=val_views)
    return ScoredOutputs(outputs, dict(score_outputs(outputs, data)))


def count_uncached_views(folder: Path, data: Dataset, requested: RequestedOutputs) -> int:
    """Count the images without cached logits, over all requested views."""
    return sum(
        len(images) * view_count(policy)
        for prefix, images, _ in _viewed_images(data, requested)
        for policy in requested.policies
        if not cache.has_array(folder, prefix + policy_name(policy))
    )


def add_requested_outputs(
    folder: Path, model: nn.Module, data: Dataset, outputs: TeacherOutputs, requested: RequestedOutputs
) -> TeacherOutputs:
    """Add the requested views and layers to the outputs.

    They come from the cache, or are computed and cached. The teacher's weights are added if a student needs outputs
    that are not cached.
    """
    model.eval()
    layers = [
        name
        for name in (*requested.layers, *getattr(model, "extra_outputs", ()))
        if has_layer(model, name) and _layer_size(model, data, name) <= MAX_CACHED_LAYER_VALUES
    ]
    computed: dict[str, Any] = {}
    for prefix, split_images, first in _viewed_images(data, requested):
        images = to_tensor(split_images, process_device())
        computed[f"{prefix}views"] = {
            policy: cache.load_or_compute(
                folder, prefix + policy_name(policy), partial(_view_logits, model, images, policy, first)
            )
            for policy in requested.policies
        }
        computed[f"{prefix}features"] = {
            name: cache.load_or_compute(folder, f"{prefix}layer-{name}", partial(_all_activations, model, images, name))
            for name in layers
        }
    live = bool(requested.policies and layers) or any(name not in layers for name in requested.layers)
    weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()} if live else {}
    return outputs._replace(**computed, weights=weights)


def _viewed_images(data: Dataset, requested: RequestedOutputs) -> Iterator[tuple[str, np.ndarray, int]]:
    """Yield a prefix of names, images, and the number of the first image.

    Validation images are numbered after the training images, as in `Dataset.join_validation`.
    """
    yield "", data.train.images, 0
    if requested.validation:
        yield "val_", data.val.images, len(data.train.labels)


@torch.no_grad()
def _view_logits(model: nn.Module, images: Tensor, policy: AugmentPolicy, first: int = 0) -> Tensor:
    """Return the logits [views, n, classes] of all views of the images.

    The images are numbered from `first`.
    """
    batches = torch.arange(len(images), device=images.device).split(evaluation_batch_size(model, images.shape[1:]))

    def batch_logits(indices: Tensor, view: int) -> Tensor:
        return predict_logits(
            model, apply_views(images[indices], policy, torch.full_like(indices, view), indices + first)
        ).cpu()

    views = range(view_count(policy))
    return compact_logits(torch.stack([torch.cat([batch_logits(batch, view) for batch in batches]) for view in views]))


def compact_logits(logits: Tensor) -> Tensor:
    """Convert many logits to float16, unless one is too large for it."""
    if logits.numel() * FLOAT32_BYTES <= MAX_FLOAT32_VIEW_BYTES:
        return logits
    half = logits.half()
    return half if half.isfinite().all() else logits


@torch.no_grad()
def _all_activations(model: nn.Module, images: Tensor, name: str) -> Tensor:
    """Return one layer's activations [n, ...] for all images."""
    batches = images.split(evaluation_batch_size(model, images.shape[1:]))
    return torch.cat([layer_activations(model, prepare_images(batch), [name])[name].float().cpu() for batch in batches])


@torch.no_grad()
def _layer_size(model: nn.Module, data: Dataset, name: str) -> int:
    """Return a layer's number of values per image."""
    image = torch.zeros(1, *data.shape, device=process_device())
    return math.prod(layer_activations(model, image, [name])[name].shape[1:])


def _mean_logits(logits: Sequence[np.ndarray], convert: Callable[[Tensor], Tensor] = torch.clone) -> np.ndarray:
    """Return the logarithm of the mean probabilities.

    It can be softened and pooled like logits.
    """
    members = torch.stack([to_tensor(member, torch.device("cpu")).float().log_softmax(-1) for member in logits])
    return convert(members.logsumexp(0) - math.log(len(logits))).numpy()


def score_outputs(outputs: TeacherOutputs, data: Dataset) -> dict[str, float | None]:
    """Return a teacher's accuracy and other metrics.

    The accuracy on all splits, the other metrics on validation and test.
    """
    cpu = torch.device("cpu")
    pairs = {
        name: (torch.from_numpy(getattr(outputs, name)[split.labels != UNLABELED]), to_tensor(split.labeled, cpu))
        for name, split in _named_splits(data)
    }
    accuracies = {f"{name}_accuracy": accuracy(*pair) for name, pair in pairs.items()}
    return accuracies | compute_metrics(*pairs["val"], "val") | compute_metrics(*pairs["test"], "test")


def _named_splits(data: Dataset) -> Iterator[tuple[str, Split]]:
    yield from (("train", data.train), ("val", data.val), ("test", data.test))
