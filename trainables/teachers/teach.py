"""Teachers, taught once however many students and experiments learn from them: answers are cached by content."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from torch import nn

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.cost import cost, latency
from trainables.data import Dataset
from trainables.device import device
from trainables.distillation_data import DistillationData, RequestedOutputs, TeacherOutputs, requested_outputs
from trainables.fit import Epoch, fit
from trainables.models import build
from trainables.plugin import fingerprint
from trainables.teachers import cache
from trainables.teachers.outputs import ScoredOutputs, answer, averaged, more, scores, unanswered
from trainables.weights.initial import begin, digests, load_weights, weights_file
from trainables.weights.published import digest

# Raised whenever a change to the training code changes what a teacher learns: older caches are then left alone.
TRAINING_VERSION = 4
# Networks that have learnt otherwise since then, by name: of those only their own teachers are taught anew.
REVISED = {"ensemble": 1}


class Begun(NamedTuple):
    """A teacher that is about to be trained: the name of its network, and for how many epochs."""

    model: str
    epochs: int


class Answering(NamedTuple):
    """A teacher that is about to answer so many images, views of those to train on: the name of its network."""

    model: str
    images: int


class TeacherResult(NamedTuple):
    """A teacher's lesson and its record: scores, cost, seconds of training, and whether it came from the cache."""

    lesson: DistillationData
    record: dict[str, Any]


News = Begun | Epoch | Answering
Lecture = Iterator[News | TeacherResult]
Training = Generator[News, None, tuple[int, float, list[dict[str, Any]]]]
LOGITS_ALONE = RequestedOutputs()


def key(recipe: Recipe, data: Dataset) -> str:
    """What a teacher's answers depend on, as 16 hex digits: its recipe, the data, the code and its files of weights."""
    if recipe.teacher is None:
        raise ValueError("a recipe without a teacher")
    if recipe.teacher.ensemble:
        parts = [key(each, data) for each in _members(recipe)]
    else:
        own = recipe.teacher_recipe()
        parts = [own.key(), data.fingerprint(), str(TRAINING_VERSION), fingerprint()]
        parts += [str(version) for name, version in REVISED.items() if name == own.network.name]
        if own.teacher is not None:
            parts.append(key(own, data))
        if recipe.teacher.weights:
            parts.append(digest(weights_file(recipe.teacher.weights)))
        parts += digests(own, data)
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def known(recipe: Recipe, data: Dataset) -> bool:
    """Whether a recipe's teacher, every member of an ensemble, has been taught already; nothing is read or verified."""
    return all(cache.holds(cache.folder() / key(member, data)) for member in _members(recipe))


def recall(recipe: Recipe, data: Dataset) -> TeacherResult | None:
    """What a teacher taught, read from the cache; None where anything would have to be computed.

    That is where it is not cached or damaged, is an ensemble, or says more than logits.
    """
    if recipe.teacher is None or recipe.teacher.ensemble:
        return None
    folder = cache.folder() / key(recipe, data)
    if not cache.holds(folder):
        return None
    model = build(recipe.teacher_recipe().network, data.shape, len(data.classes)).to(device())
    if hasattr(model, "answers"):
        return None
    with FileLock(folder / "lock"):
        found = _kept(folder, model, data)
    return _taught(model, data, *found, cached=True) if found else None


def teach(recipe: Recipe, data: Dataset, asked: RequestedOutputs = LOGITS_ALONE) -> Lecture:
    """Yield the epochs of a recipe's teacher as it is trained, and last what it taught; from the cache, only that.

    Who stands behind it, an assistant's own teacher or the members of an ensemble, is in the record under `behind`.
    However many processes ask at once, one trains and the others wait for it.
    """
    members = []
    for member in _members(recipe):
        members.append((yield from _one(member, data, asked)))
    yield members[0] if len(members) == 1 else _together(key(recipe, data), recipe, data, members)


def _members(recipe: Recipe) -> list[Recipe]:
    if recipe.teacher is None:
        raise ValueError("a recipe without a teacher")
    return [recipe.model_copy(update={"teacher": each}) for each in recipe.teacher.members()]


def _one(recipe: Recipe, data: Dataset, asked: RequestedOutputs) -> Generator[News, None, TeacherResult]:
    """One teacher, from the cache or taught, with what its students ask of it."""
    assert recipe.teacher is not None
    name = key(recipe, data)
    folder = cache.folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    own = recipe.teacher_recipe()
    model = build(own.network, data.shape, len(data.classes), own.seed).to(device())
    with FileLock(folder / "lock"):
        found = _kept(folder, model, data)
        if found is None:
            epochs, seconds = 0, 0.0
            behind: list[dict[str, Any]] = []
            began = begin(model)
            if recipe.teacher.weights:
                load_weights(model, weights_file(recipe.teacher.weights))
            elif own.train.epochs:
                epochs, seconds, behind = yield from _train(own, data, folder / "checkpoint.safetensors", model)
            answers, told = answer(model, data)
            record = {"key": name, "seed": recipe.teacher.seed, "epochs": epochs, **told}
            record |= {"train_seconds": seconds, **cost(model, data.shape)._asdict(), "behind": behind}
            if began:
                record["weights"] = [each._asdict() for each in began]
            cache.write(folder, dict(model.state_dict()), answers, record)
        else:
            answers, record = found
        if images := unanswered(folder, data, asked):
            yield Answering(own.student.model.name, images)
        answers = more(folder, model, data, answers, asked)
    return _taught(model, data, answers, record, cached=found is not None)


def _kept(folder: Path, model: nn.Module, data: Dataset) -> tuple[TeacherOutputs, dict[str, Any]] | None:
    """The answers and the record of a cached teacher, whose weights the model gets; None where it is not whole."""
    if (found := cache.read(folder)) is None:
        return None
    answers, record = found
    model.load_state_dict(cache.weights(folder))
    return answers, record | scores(answers, data)  # records of earlier versions know fewer


def _taught(
    model: nn.Module, data: Dataset, answers: TeacherOutputs, record: dict[str, Any], cached: bool
) -> TeacherResult:
    here = {"cached": cached, "latency_ms": latency(model, data.shape)}  # the time is this machine's
    return TeacherResult(DistillationData(data, answers), {**record, **here})


def _train(own: Recipe, data: Dataset, unfinished: Path, model: nn.Module) -> Training:
    """Train a teacher, going on from its last epoch where an earlier process was stopped.

    It returns the number of epochs, their seconds, and the records of those behind this teacher.
    """
    lesson, behind = DistillationData(data, None), []
    if own.teacher is not None:
        for item in teach(own, data, requested_outputs([own])):
            if isinstance(item, TeacherResult):
                lesson, behind = item.lesson, _records(item)
            else:
                yield item
    try:
        start = checkpoint.load(unfinished) if unfinished.exists() else None
    except UserError:
        start = None  # a damaged checkpoint costs its own epochs, nothing else
    yield Begun(own.student.model.name, own.train.epochs)
    for epoch in fit(own, lesson, start=start):
        checkpoint.save(unfinished, epoch.state)
        yield epoch
    state = checkpoint.load(unfinished)
    model.load_state_dict(state.weights)
    return state.epoch, state.seconds, behind


def _records(taught: TeacherResult) -> list[dict[str, Any]]:
    """The records of those behind a teacher, and its own."""
    return [*taught.record["behind"], taught.record | {"behind": []}]


def _together(name: str, recipe: Recipe, data: Dataset, members: list[TeacherResult]) -> TeacherResult:
    """An ensemble's lesson and record, from those of its members."""
    assert recipe.teacher is not None
    found: ScoredOutputs = averaged([each.lesson.teacher for each in members if each.lesson.teacher], data)
    record = {
        "key": name,
        "seed": recipe.teacher.seed,
        **found.scores,
        "cached": all(m.record["cached"] for m in members),
    }
    for total in ("epochs", "train_seconds", "parameters", "macs", "latency_ms"):
        record[total] = sum(each.record[total] for each in members)
    record["behind"] = [known for each in members for known in _records(each)]
    return TeacherResult(DistillationData(data, found.answers), record)
