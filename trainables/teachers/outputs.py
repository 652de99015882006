"""What a teacher says of the data: logits once for every image, and what particular methods ask for beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from spaces.recipe import Policy
from trainables.augment import name as named
from trainables.augment import show, views
from trainables.data import Dataset, Split
from trainables.device import device, tensor
from trainables.diagnose import diagnose
from trainables.distillation_data import RequestedOutputs, TeacherOutputs
from trainables.evaluate import UNEVEN, accuracy, at_once, predict, respond, score
from trainables.output import activations, has, prepare
from trainables.teachers import cache

FLOAT = 4  # bytes
MOST = 2**28  # bytes of the logits of views in float32; of more, half are kept
LARGEST = 2048  # values per image of a layer that is kept; a larger one is asked for in every step


class ScoredOutputs(NamedTuple):
    """Answers, and how good they are on each split."""

    answers: TeacherOutputs
    scores: dict[str, Any]


def answer(model: nn.Module, data: Dataset) -> ScoredOutputs:
    """A network's logits for every image, once, and its scores."""
    where = device()
    said = {name: respond(model, tensor(split.images, where)) for name, split in _splits(data)}
    logits: dict[str, Any] = {name: output.logits.cpu().numpy() for name, output in said.items()}
    test = diagnose(said["test"], tensor(data.test.labels, where))
    answers = TeacherOutputs(**logits)
    return ScoredOutputs(answers, {**scores(answers, data), "diagnosis": test})


def averaged(members: Sequence[TeacherOutputs], data: Dataset) -> ScoredOutputs:
    """The mean of several teachers' probabilities, as logits, for every image and view."""
    parts: dict[str, Any] = {name: _mean([getattr(each, name) for each in members]) for name, _ in _splits(data)}
    shown = {policy: _mean([each.views[policy] for each in members], compact) for policy in members[0].views}
    answers = TeacherOutputs(**parts, views=shown)
    return ScoredOutputs(answers, dict(scores(answers, data)))


def unanswered(folder: Path, data: Dataset, asked: RequestedOutputs) -> int:
    """How many images, each view counted, a teacher has yet to answer before its students can ask for them."""
    return len(data.train.labels) * sum(views(each) for each in asked.policies if not cache.has(folder, named(each)))


def more(
    folder: Path, model: nn.Module, data: Dataset, answers: TeacherOutputs, asked: RequestedOutputs
) -> TeacherOutputs:
    """Add what students ask for beside the logits, from the cache or computed and kept there."""
    images = tensor(data.train.images, device())
    model.eval()
    shown = {
        policy: cache.kept(folder, named(policy), partial(_shown, model, images, policy)) for policy in asked.policies
    }
    features = {
        name: cache.kept(folder, f"layer-{name}", partial(_layer, model, images, name))
        for name in (*asked.layers, *getattr(model, "answers", ()))
        if has(model, name) and _size(model, data, name) <= LARGEST
    }
    to_ask = bool(asked.policies and features) or any(name not in features for name in asked.layers)
    weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()} if to_ask else {}
    return answers._replace(views=shown, features=features, weights=weights)


@torch.no_grad()
def _shown(model: nn.Module, images: Tensor, policy: Policy) -> Tensor:
    """Logits [views, n, classes] of images in all their views."""
    parts = torch.arange(len(images), device=images.device).split(at_once(model, images.shape))
    each = [
        torch.cat(
            [predict(model, show(images[part], policy, torch.full_like(part, view), part)).cpu() for part in parts]
        )
        for view in range(views(policy))
    ]
    return compact(torch.stack(each))


def compact(logits: Tensor) -> Tensor:
    """Logits of views as they are kept: in float16 where they are many and none is too large for it."""
    if logits.numel() * FLOAT <= MOST:
        return logits
    half = logits.half()
    return half if half.isfinite().all() else logits


@torch.no_grad()
def _layer(model: nn.Module, images: Tensor, name: str) -> Tensor:
    """One layer's activations [n, ...] of images."""
    parts = images.split(at_once(model, images.shape))
    return torch.cat([activations(model, prepare(part), [name])[name].float().cpu() for part in parts])


@torch.no_grad()
def _size(model: nn.Module, data: Dataset, name: str) -> int:
    """How many values a layer has for one image."""
    return math.prod(activations(model, torch.zeros(1, *data.shape, device=device()), [name])[name].shape[1:])


def _mean(logits: Sequence[np.ndarray], kept: Callable[[Tensor], Tensor] = torch.clone) -> np.ndarray:
    """The logarithm of the mean probabilities: what softens and pools like logits."""
    found = torch.stack([tensor(each, torch.device("cpu")).float().log_softmax(-1) for each in logits])
    return kept(found.logsumexp(0) - math.log(len(logits))).numpy()


def scores(answers: TeacherOutputs, data: Dataset) -> dict[str, float | None]:
    """The accuracy of a teacher's answers on each split, and beside it F1 and AUC where it was not trained."""
    cpu = torch.device("cpu")
    found = {name: (torch.from_numpy(getattr(answers, name)), tensor(each.labels, cpu)) for name, each in _splits(data)}
    told = {f"{name}_accuracy": accuracy(*pair) for name, pair in found.items()}
    others = {name: score(*found[name]) for name in ("val", "test")}
    return told | {f"{name}_{kind}": getattr(each, kind) for name, each in others.items() for kind in UNEVEN}


def _splits(data: Dataset) -> Iterator[tuple[str, Split]]:
    yield from (("train", data.train), ("val", data.val), ("test", data.test))
