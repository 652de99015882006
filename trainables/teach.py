"""The teacher, taught once however many students and experiments learn from it: answers are cached by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from torch import Tensor, nn

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import cache, checkpoint, storage
from trainables.cost import cost
from trainables.data import Dataset
from trainables.device import device, tensor
from trainables.evaluate import predict, score
from trainables.fit import Epoch, fit
from trainables.lesson import Answers, Lesson
from trainables.models import build
from trainables.plugin import fingerprint

# Raised whenever a change to the training code changes what a teacher learns: older caches are then left alone.
TRAINING_VERSION = 2


class Taught(NamedTuple):
    """A teacher's lesson and its record: scores, cost, seconds of training, and whether it came from the cache."""

    lesson: Lesson
    record: dict[str, Any]


def key(recipe: Recipe, data: Dataset) -> str:
    """What a teacher's answers depend on, as 16 hex digits: its recipe, the data, the code and its weights file."""
    parts = [recipe.taught().key(), data.fingerprint(), str(TRAINING_VERSION), fingerprint()]
    if recipe.teacher is not None and recipe.teacher.weights:
        parts.append(hashlib.sha256(weights_file(recipe.teacher.weights).read_bytes()).hexdigest())
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def teach(recipe: Recipe, data: Dataset) -> Iterator[Epoch | Taught]:
    """Yield the epochs of a recipe's teacher as it is trained, then what it taught; from the cache, only the latter.

    However many processes ask at once, one trains and the others wait for it.
    """
    teacher = recipe.teacher
    if teacher is None:
        raise ValueError("a recipe without a teacher")
    name = key(recipe, data)
    folder = cache.folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        found = cache.read(folder)
        if found is not None:
            yield Taught(Lesson(data, found[0]), {**found[1], "cached": True})
            return
        own = recipe.taught()
        model = build(own.student.model, data.shape, len(data.classes), own.seed).to(device())
        unfinished, epochs, seconds = folder / "checkpoint.safetensors", 0, 0.0
        if teacher.weights:
            load_weights(model, weights_file(teacher.weights))
        else:
            yield from _train(own, data, unfinished)
            state = checkpoint.load(unfinished)
            model.load_state_dict(state.weights)
            epochs, seconds = state.epoch, state.seconds
        answers, scores = _answer(model, data)
        record = {"key": name, "seed": teacher.seed, "epochs": epochs, **scores}
        record |= {"train_seconds": seconds, **cost(model, data.shape)._asdict()}
        cache.write(folder, dict(model.state_dict()), answers, record)
    yield Taught(Lesson(data, answers), {**record, "cached": False})


def _train(own: Recipe, data: Dataset, unfinished: Path) -> Iterator[Epoch]:
    """Train a teacher, going on from its last epoch where an earlier process was stopped."""
    try:
        start = checkpoint.load(unfinished) if unfinished.exists() else None
    except UserError:
        start = None  # a damaged checkpoint costs its own epochs, nothing else
    for epoch in fit(own, Lesson(data, None), start=start):
        checkpoint.save(unfinished, epoch.state)
        yield epoch


def _answer(model: nn.Module, data: Dataset) -> tuple[Answers, dict[str, float]]:
    """The teacher's logits for every image, once, and its scores."""
    where = device()
    splits = {"train": data.train, "val": data.val, "test": data.test}
    logits: dict[str, Tensor] = {name: predict(model, tensor(split.images, where)) for name, split in splits.items()}
    scores = {
        f"{name}_accuracy": score(logits[name], tensor(split.labels, where)).accuracy for name, split in splits.items()
    }
    return Answers(**{name: z.cpu().numpy() for name, z in logits.items()}), scores


def weights_file(name: str) -> Path:
    """The file of `teacher: {weights: …}`; a UserError where it is not there."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"teacher.weights: {path}: no such file")
    return path


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a network with weights from a file; a UserError names the tensors that do not fit."""
    weights, own = storage.read_weights(path), model.state_dict()
    wrong = [f"{name} is missing" for name in own.keys() - weights.keys()]
    wrong += [f"{name} is not in the model" for name in weights.keys() - own.keys()]
    wrong += [
        f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if weights[name].shape != own[name].shape
    ]
    if wrong:
        shown = "; ".join(sorted(wrong)[:4])
        raise UserError(f"teacher.weights: {path}: does not fit teacher.model ({len(wrong)} tensors: {shown})")
    model.load_state_dict(weights)
