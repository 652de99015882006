"""What a teacher says of the data: logits once for every image, and what particular methods ask for beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from trainables import cache
from trainables.augment import shift, views
from trainables.data import Dataset, Split
from trainables.device import device, tensor
from trainables.diagnose import diagnose
from trainables.evaluate import BATCH, predict, respond, score
from trainables.lesson import Answers, Wanted
from trainables.output import activations, has, prepare

LARGEST = 2048  # values per image of a layer that is kept; a larger one is asked for in every step


class Scored(NamedTuple):
    """Answers, and how good they are on each split."""

    answers: Answers
    scores: dict[str, Any]


def answer(model: nn.Module, data: Dataset) -> Scored:
    """A network's logits for every image, once, and its scores."""
    where = device()
    said = {name: respond(model, tensor(split.images, where)) for name, split in _splits(data)}
    logits: dict[str, Any] = {name: output.logits.cpu().numpy() for name, output in said.items()}
    test = diagnose(said["test"], tensor(data.test.labels, where))
    return Scored(Answers(**logits), {**_scores(logits, data), "diagnosis": test})


def averaged(members: Sequence[Answers], data: Dataset) -> Scored:
    """The mean of several teachers' probabilities, as logits, for every image and view."""
    parts: dict[str, Any] = {name: _mean([getattr(each, name) for each in members]) for name, _ in _splits(data)}
    shifted = {pixels: _mean([each.shifted[pixels] for each in members]) for pixels in members[0].shifted}
    return Scored(Answers(**parts, shifted=shifted), _scores(parts, data))


def more(folder: Path, model: nn.Module, data: Dataset, answers: Answers, asked: Wanted) -> Answers:
    """Add what students ask for beside the logits, from the cache or computed and kept there."""
    images = tensor(data.train.images, device())
    model.eval()
    shifted = {
        pixels: cache.kept(folder, f"shifted-{pixels}", partial(_shifted, model, images, pixels))
        for pixels in asked.jitters
    }
    features = {
        name: cache.kept(folder, f"layer-{name}", partial(_layer, model, images, name))
        for name in (*asked.layers, *getattr(model, "answers", ()))
        if has(model, name) and _size(model, data, name) <= LARGEST
    }
    to_ask = bool(asked.jitters and features) or any(name not in features for name in asked.layers)
    weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()} if to_ask else {}
    return answers._replace(shifted=shifted, features=features, weights=weights)


@torch.no_grad()
def _shifted(model: nn.Module, images: Tensor, pixels: int) -> Tensor:
    """Logits [views, n, classes] of images in all their views."""
    n = len(images)
    each = (torch.full((n,), view) for view in range(views(pixels)))
    return torch.stack([predict(model, shift(images, pixels, view)).cpu() for view in each])


@torch.no_grad()
def _layer(model: nn.Module, images: Tensor, name: str) -> Tensor:
    """One layer's activations [n, ...] of images."""
    return torch.cat([activations(model, prepare(part), [name])[name].float().cpu() for part in images.split(BATCH)])


@torch.no_grad()
def _size(model: nn.Module, data: Dataset, name: str) -> int:
    """How many values a layer has for one image."""
    return math.prod(activations(model, torch.zeros(1, *data.shape, device=device()), [name])[name].shape[1:])


def _mean(logits: Sequence[np.ndarray]) -> np.ndarray:
    """The logarithm of the mean probabilities: what softens and pools like logits."""
    found = torch.stack([torch.from_numpy(each).log_softmax(-1) for each in logits])
    return (found.logsumexp(0) - math.log(len(logits))).numpy()


def _scores(logits: dict[str, np.ndarray], data: Dataset) -> dict[str, float]:
    cpu = torch.device("cpu")
    found = {name: (torch.from_numpy(logits[name]), tensor(split.labels, cpu)) for name, split in _splits(data)}
    return {f"{name}_accuracy": score(*pair).accuracy for name, pair in found.items()}


def _splits(data: Dataset) -> Iterator[tuple[str, Split]]:
    yield from (("train", data.train), ("val", data.val), ("test", data.test))
