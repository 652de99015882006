"""What the teacher says in a batch belongs to the very images of that batch, in the views in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn.functional import cross_entropy

from spaces.recipe import Recipe
from trainables.batches import Batch, batches, class_weights, material, mean
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, requested_outputs
from trainables.evaluate import respond
from trainables.fit import Epoch
from trainables.methods import METHODS
from trainables.models import build
from trainables.output import Output
from trainables.teachers.outputs import compact
from trainables.teachers.teach import TeacherResult, key, teach

Make = Callable[..., Recipe]
CPU = torch.device("cpu")
CNN = {"name": "cnn", "subclasses": 2}
TRAIN = {"epochs": 1, "batch_size": 64, "precision": "float32"}
AUGMENT = {"views": 3, "crop": 1, "flip": "horizontal", "rotate": 15.0, "shear": 0.1, "color": 0.2}
HINT = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu3"}


@pytest.fixture
def small(digits: Dataset) -> Dataset:
    return digits.take(200, 50, 50)


def lesson_of(recipe: Recipe, data: Dataset) -> DistillationData:
    *_, last = teach(recipe, data, requested_outputs([recipe]))
    assert isinstance(last, TeacherResult)
    return last.lesson


def seen(recipe: Recipe, lesson: DistillationData, epoch: int = 1) -> list[Batch]:
    return list(batches(recipe, material(recipe, lesson, CPU), epoch, 3))


def asked(recipe: Recipe, batch: Batch, data: Dataset, kd_cache: Path) -> Output:
    """What the teacher itself says of the images of a batch."""
    from trainables.teachers import cache

    assert recipe.teacher is not None
    model = build(recipe.teacher.model, data.shape, len(data.classes))
    model.load_state_dict(cache.weights(kd_cache / key(recipe, data)))
    return respond(model, batch.images, ["relu3"])


@pytest.mark.parametrize("policy", [{}, {"shift": 1}, {"augment": AUGMENT}], ids=["none", "shift", "augment"])
@pytest.mark.parametrize("method", ["hinton", "hint", "subclass"])
def test_answers_belong_to_the_images(
    kd_cache: Path, recipe: Make, small: Dataset, method: str, policy: dict[str, Any]
) -> None:
    knobs = HINT if method == "hint" else {"name": method, "alpha": 0.5, "temperature": 4.0}
    wanting = recipe(None, knobs, teacher={"model": CNN, "train": TRAIN}, **policy)
    lesson = lesson_of(wanting, small)
    for batch in seen(wanting, lesson):
        truth, said = asked(wanting, batch, small, kd_cache), batch.teacher
        assert said is not None
        torch.testing.assert_close(said.logits, truth.logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(said.features["subclasses"], truth.features["subclasses"], rtol=1e-4, atol=1e-4)
        if method == "hint":
            torch.testing.assert_close(said.features["relu3"], truth.features["relu3"], rtol=1e-4, atol=1e-4)


def test_no_image_but_the_training_set_s_is_seen(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    wanting = recipe(None, {"name": "hinton", "alpha": 0.5, "temperature": 4.0}, teacher={"model": CNN, "train": TRAIN})
    shown = torch.cat([batch.images for batch in seen(wanting, lesson_of(wanting, small))]).numpy()
    known = {image.tobytes() for image in small.train.images}
    assert len(shown) == 192 and {image.tobytes() for image in shown} <= known
    assert not known & {image.tobytes() for split in (small.val, small.test) for image in split.images}


def test_a_large_layer_is_asked_for(
    kd_cache: Path, recipe: Make, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanting = recipe(None, HINT, teacher={"model": {"name": "cnn"}, "train": TRAIN})
    kept = lesson_of(wanting, small)
    monkeypatch.setattr("trainables.teachers.outputs.LARGEST", 100)
    asked_for = lesson_of(wanting, small)
    assert kept.teacher is not None and "relu3" in kept.teacher.features and not kept.teacher.weights
    assert asked_for.teacher is not None and not asked_for.teacher.features and asked_for.teacher.weights
    for one, other in zip(seen(wanting, kept), seen(wanting, asked_for), strict=True):
        assert one.teacher is not None and other.teacher is not None
        torch.testing.assert_close(one.teacher.features["relu3"], other.teacher.features["relu3"])


def test_views_change_with_the_epoch_and_the_seed(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    wanting = recipe(shift=2)
    lesson = DistillationData(small, None)
    first, second = seen(wanting, lesson, 1), seen(wanting, lesson, 2)
    assert not torch.equal(first[0].images, second[0].images)
    assert torch.equal(first[0].images, seen(wanting, lesson, 1)[0].images)
    assert not torch.equal(first[0].images, seen(recipe(shift=2, seed=1), lesson, 1)[0].images)


def losses(recipe: Recipe, lesson: DistillationData, data: Dataset, kd_cache: Path) -> tuple[Tensor, Tensor]:
    """The loss of a student that only listens to its teacher, by kept answers and by those of the teacher itself."""
    student = build(recipe.network, data.shape, len(data.classes), 0).eval()
    kept, live = [], []
    for batch in seen(recipe, lesson):
        own = respond(student, batch.images)
        assert batch.teacher is not None
        for found, teacher in ((kept, batch.teacher), (live, asked(recipe, batch, data, kd_cache))):
            found.append(METHODS["hinton"](own, teacher, batch.labels, alpha=1.0, temperature=4.0))
    return torch.cat(kept), torch.cat(live)


ALONE = {"name": "hinton", "alpha": 1.0, "temperature": 4.0}
BOLD = {"model": {"name": "cnn"}, "train": TRAIN | {"epochs": 5, "lr": 0.01}}


def test_the_canary_sings(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    """With alpha = 1, kept answers give the loss of the teacher asked anew; those of other images or views do not."""
    wanting = recipe(None, ALONE, teacher=BOLD, augment=AUGMENT)
    lesson = lesson_of(wanting, small)
    kept, live = losses(wanting, lesson, small, kd_cache)
    torch.testing.assert_close(kept, live, rtol=1e-4, atol=1e-5)
    assert lesson.teacher is not None and wanting.train.policy is not None
    logits = lesson.teacher.views[wanting.train.policy]
    for wrong in (np.roll(logits, 1, axis=1), np.roll(logits, 1, axis=0)):
        answers = lesson.teacher._replace(views={wanting.train.policy: wrong})
        kept, live = losses(wanting, lesson._replace(teacher=answers), small, kd_cache)
        assert (kept - live).abs().mean() > 0.01 * live.mean()


def test_many_views_are_kept_in_half_the_bytes(
    kd_cache: Path, recipe: Make, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.teachers.outputs.MOST", 1000)
    wanting = recipe(None, ALONE, teacher=BOLD, augment=AUGMENT)
    lesson = lesson_of(wanting, small)
    assert lesson.teacher is not None and lesson.teacher.views[wanting.train.policy].dtype == np.float16
    kept, live = losses(wanting, lesson, small, kd_cache)
    assert kept.dtype == torch.float32
    # 11 bits of each logit: within 2^-11 of the largest, and T² KL moves by at most T times twice as much
    largest = float(np.abs(lesson.teacher.views[wanting.train.policy]).max())
    assert 0 < (kept - live).abs().max() < 2 * 4.0 * largest / 2**11
    assert compact(torch.full((2, 2000), 1e5)).dtype == torch.float32  # no infinities


def test_probes_of_a_space_ask_for_every_shift(recipe: Make) -> None:
    kd = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
    probes = [recipe(), recipe(None, kd, teacher={}), recipe(shift=2)]  # and there is a student with both
    assert requested_outputs(probes).policies == (2,) and requested_outputs(probes[::2]).policies == ()


def test_the_teacher_is_not_asked_after_the_hints(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    fitnets = {"name": "fitnets", "alpha": 0.5, "temperature": 4.0, "guided": "relu1", "hint": "relu3"}
    wanting = recipe(None, fitnets | {"hint_epochs": 1}, teacher={"model": {"name": "cnn"}, "train": TRAIN})
    lesson = lesson_of(wanting, small)
    first, second = (seen(wanting, lesson, epoch)[0].teacher for epoch in (1, 2))
    assert first is not None and "relu3" in first.features
    assert second is not None and not second.features


def test_omitted_classes_are_never_seen(recipe: Make, small: Dataset) -> None:
    wanting = recipe(omit={"classes": [3, 5]}, batch_size=20)
    given = material(wanting, DistillationData(small, None), CPU)
    shown = torch.cat([batch.labels for batch in batches(wanting, given, 1, 1000)])
    assert set(shown.tolist()) == set(range(10)) - {3, 5}
    assert len(given.kept) == sum(label not in (3, 5) for label in small.train.labels)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"none", "routed"}))
def test_every_method_trains_through_the_loop(
    kd_cache: Path, recipe: Make, run: Callable[..., list[Epoch]], small: Dataset, name: str
) -> None:
    knobs = {
        "hint": HINT,
        "fitnets": {"temperature": 4.0, "guided": "relu1", "hint": "relu3", "hint_epochs": 1},
        "attention": {"guided": "relu1", "hint": "relu1"},
        "relational": {"guided": "relu1", "hint": "relu3"},
        "similarity": {"guided": "relu1", "hint": "relu3"},
        "contrast": {"beta": 0.1, "temperature": 1.0},
        "smoothing": {},
    }.get(name, {"temperature": 4.0})
    alpha = {} if name == "contrast" else {"alpha": 0.5}
    mlp = {"name": "mlp", "hidden": [16]}
    teacher = {"model": mlp if name == "attention" else {"name": "cnn"}, "train": TRAIN}
    wanting = recipe(mlp, {"name": name, **alpha, **knobs}, teacher=teacher, epochs=4)
    epochs = run(wanting, lesson_of(wanting, small))
    first, last = epochs[0], epochs[-1]  # stages have losses of their own, and so few images may mislead on others
    assert last.train_loss < first.train_loss or last.val_loss < first.val_loss


UNEVEN = torch.tensor([0] * 50 + [1] * 10 + [3] * 20)


def test_balanced_weights_are_those_of_scikit_learn(recipe: Make) -> None:
    found = class_weights(recipe(class_weights="balanced").train, UNEVEN, 4)
    present = np.unique(UNEVEN)
    truth = compute_class_weight("balanced", classes=present, y=UNEVEN.numpy())
    assert found is not None
    torch.testing.assert_close(found[present].double(), torch.from_numpy(truth))
    assert found[2] == 0 and found[UNEVEN].mean().item() == pytest.approx(1)


def test_weights_of_ones_own_are_taken_as_they_are(recipe: Make) -> None:
    found = class_weights(recipe(class_weights=[1.0, 2.0, 0.5, 4.0]).train, UNEVEN, 4)
    assert found is not None and found.tolist() == [1, 2, 0.5, 4]
    assert class_weights(recipe().train, UNEVEN, 4) is None


def test_a_weighted_mean_is_that_of_torch() -> None:
    logits, weights = torch.randn(len(UNEVEN), 4, generator=torch.Generator().manual_seed(0)), torch.arange(1.0, 5.0)
    losses = cross_entropy(logits, UNEVEN, reduction="none")
    torch.testing.assert_close(mean(losses, UNEVEN, weights), cross_entropy(logits, UNEVEN, weights))
    assert torch.equal(mean(losses, UNEVEN, None), losses.mean())


def test_weighing_a_class_has_it_named_more_often(
    kd_cache: Path, recipe: Make, run: Callable[..., list[Epoch]], small: Dataset
) -> None:
    named = []
    for weight in (1.0, 50.0):
        wanting = recipe({"name": "mlp", "hidden": [16]}, epochs=4, class_weights=[weight] + [1.0] * 9)
        student = build(wanting.network, small.shape, 10)
        student.load_state_dict(run(wanting, DistillationData(small, None))[-1].state.weights)
        named.append((respond(student, torch.from_numpy(small.val.images)).logits.argmax(-1) == 0).sum().item())
    assert named[1] > named[0]
