"""The teacher outputs of a batch belong to its images in their views."""

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
from spaces.training import Train
from trainables.batches import (
    Batch,
    class_weights,
    epoch_batches,
    training_indices,
    training_tensors,
    weighted_mean,
)
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, requested_outputs
from trainables.evaluate import predict_output
from trainables.fit import EpochResult
from trainables.knobs import knob_schema
from trainables.methods import METHODS
from trainables.models import build_network
from trainables.output import Output
from trainables.teachers.key import teacher_key
from trainables.teachers.outputs import compact_logits
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.weights import tensor_file

Make = Callable[..., Recipe]
CPU = torch.device("cpu")
CNN = {"name": "cnn", "subclasses": 2}
TRAIN = {"epochs": 1, "batch_size": 64, "precision": "float32"}
AUGMENT = {"views": 3, "crop": 1, "flip": "horizontal", "rotate": 15.0, "shear": 0.1, "color": 0.2}
HINT = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu3"}


@pytest.fixture
def small(digits: Dataset) -> Dataset:
    return digits.take(200, 50, 50)


def teacher_data(recipe: Recipe, data: Dataset) -> DistillationData:
    *_, last = train_teacher(recipe, data, requested_outputs([recipe]))
    assert isinstance(last, TeacherResult)
    return DistillationData(data, last.outputs)


def collect_batches(recipe: Recipe, distillation_data: DistillationData, epoch: int = 1) -> list[Batch]:
    return list(epoch_batches(recipe, training_tensors(recipe, distillation_data, CPU), epoch, 3))


def live_output(recipe: Recipe, batch: Batch, data: Dataset, kd_cache: Path) -> Output:
    """Return the teacher's output, computed for the images of a batch."""
    assert recipe.teacher is not None
    model = build_network(recipe.teacher.model, data.shape, len(data.classes))
    model.load_state_dict(tensor_file.read_tensors(kd_cache / teacher_key(recipe, data) / "weights.safetensors")[0])
    return predict_output(model, batch.images, ["relu3"])


@pytest.mark.parametrize("policy", [{}, {"shift": 1}, {"augment": AUGMENT}], ids=["none", "shift", "augment"])
@pytest.mark.parametrize("method", ["hinton", "hint", "subclass"])
def test_outputs_belong_to_the_images(
    kd_cache: Path, recipe: Make, small: Dataset, method: str, policy: dict[str, Any]
) -> None:
    knobs = HINT if method == "hint" else {"name": method, "alpha": 0.5, "temperature": 4.0}
    student = recipe(None, knobs, teacher={"model": CNN, "train": TRAIN}, **policy)
    distillation_data = teacher_data(student, small)
    for batch in collect_batches(student, distillation_data):
        truth, output = live_output(student, batch, small, kd_cache), batch.teacher
        assert output is not None
        torch.testing.assert_close(output.logits, truth.logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(output.features["subclasses"], truth.features["subclasses"], rtol=1e-4, atol=1e-4)
        if method == "hint":
            torch.testing.assert_close(output.features["relu3"], truth.features["relu3"], rtol=1e-4, atol=1e-4)


def test_only_training_images(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    student = recipe(None, {"name": "hinton", "alpha": 0.5, "temperature": 4.0}, teacher={"model": CNN, "train": TRAIN})
    shown = torch.cat([batch.images for batch in collect_batches(student, teacher_data(student, small))]).numpy()
    training_images = {image.tobytes() for image in small.train.images}
    assert len(shown) == 192 and {image.tobytes() for image in shown} <= training_images
    assert not training_images & {image.tobytes() for split in (small.val, small.test) for image in split.images}


def test_a_large_layer_is_computed_live(
    kd_cache: Path, recipe: Make, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = recipe(None, HINT, teacher={"model": {"name": "cnn"}, "train": TRAIN})
    cached = teacher_data(student, small)
    monkeypatch.setattr("trainables.teachers.outputs.MAX_CACHED_LAYER_VALUES", 100)
    live = teacher_data(student, small)
    assert cached.teacher is not None and "relu3" in cached.teacher.features and not cached.teacher.weights
    assert live.teacher is not None and not live.teacher.features and live.teacher.weights
    for first, second in zip(collect_batches(student, cached), collect_batches(student, live), strict=True):
        assert first.teacher is not None and second.teacher is not None
        torch.testing.assert_close(first.teacher.features["relu3"], second.teacher.features["relu3"])


def test_views_change_with_the_epoch_and_the_seed(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    student = recipe(shift=2)
    distillation_data = DistillationData(small, None)
    first, second = collect_batches(student, distillation_data, 1), collect_batches(student, distillation_data, 2)
    assert not torch.equal(first[0].images, second[0].images)
    assert torch.equal(first[0].images, collect_batches(student, distillation_data, 1)[0].images)
    assert not torch.equal(first[0].images, collect_batches(recipe(shift=2, seed=1), distillation_data, 1)[0].images)


def losses(recipe: Recipe, distillation_data: DistillationData, data: Dataset, kd_cache: Path) -> tuple[Tensor, Tensor]:
    """Return losses from cached and from live teacher outputs."""
    student = build_network(recipe.network, data.shape, len(data.classes), 0).eval()
    cached, live = [], []
    for batch in collect_batches(recipe, distillation_data):
        own = predict_output(student, batch.images)
        assert batch.teacher is not None
        for losses_, teacher in ((cached, batch.teacher), (live, live_output(recipe, batch, data, kd_cache))):
            losses_.append(METHODS["hinton"](own, teacher, batch.labels, alpha=1.0, temperature=4.0))
    return torch.cat(cached), torch.cat(live)


TEACHER_ONLY = {"name": "hinton", "alpha": 1.0, "temperature": 4.0}
SHARP_TEACHER = {"model": {"name": "cnn"}, "train": TRAIN | {"epochs": 5, "lr": 0.01}}


def test_other_outputs_change_the_loss(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    """With alpha = 1 cached and live outputs give equal losses; outputs of other images or views do not."""
    student = recipe(None, TEACHER_ONLY, teacher=SHARP_TEACHER, augment=AUGMENT)
    distillation_data = teacher_data(student, small)
    cached, live = losses(student, distillation_data, small, kd_cache)
    torch.testing.assert_close(cached, live, rtol=1e-4, atol=1e-5)
    assert distillation_data.teacher is not None and student.train.augment_policy is not None
    logits = distillation_data.teacher.views[student.train.augment_policy]
    for wrong in (np.roll(logits, 1, axis=1), np.roll(logits, 1, axis=0)):
        outputs = distillation_data.teacher._replace(views={student.train.augment_policy: wrong})
        cached, live = losses(student, distillation_data._replace(teacher=outputs), small, kd_cache)
        assert (cached - live).abs().mean() > 0.01 * live.mean()


def test_many_views_are_cached_in_float16(
    kd_cache: Path, recipe: Make, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.teachers.outputs.MAX_FLOAT32_VIEW_BYTES", 1000)
    student = recipe(None, TEACHER_ONLY, teacher=SHARP_TEACHER, augment=AUGMENT)
    distillation_data = teacher_data(student, small)
    assert (
        distillation_data.teacher is not None
        and distillation_data.teacher.views[student.train.augment_policy].dtype == np.float16
    )
    cached, live = losses(student, distillation_data, small, kd_cache)
    assert cached.dtype == torch.float32
    # 11 bits of each logit: within 2^-11 of the largest, and T² KL moves by at most T times twice as much
    largest = float(np.abs(distillation_data.teacher.views[student.train.augment_policy]).max())
    assert 0 < (cached - live).abs().max() < 2 * 4.0 * largest / 2**11
    assert compact_logits(torch.full((2, 2000), 1e5)).dtype == torch.float32  # float16 would be infinite


def test_probes_request_every_shift(recipe: Make) -> None:
    kd = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
    probes = [recipe(), recipe(None, kd, teacher={}), recipe(shift=2)]  # another student may have both
    assert requested_outputs(probes).policies == (2,) and requested_outputs(probes[::2]).policies == ()


def test_no_teacher_layers_after_the_first_stage(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    fitnets = {"name": "fitnets", "alpha": 0.5, "temperature": 4.0, "guided": "relu1", "hint": "relu3"}
    student = recipe(None, fitnets | {"hint_epochs": 1}, teacher={"model": {"name": "cnn"}, "train": TRAIN})
    distillation_data = teacher_data(student, small)
    first, second = (collect_batches(student, distillation_data, epoch)[0].teacher for epoch in (1, 2))
    assert first is not None and "relu3" in first.features
    assert second is not None and not second.features


def test_omitted_classes_are_not_trained_on(recipe: Make, small: Dataset) -> None:
    student = recipe(omit={"classes": [3, 5]}, batch_size=20)
    tensors = training_tensors(student, DistillationData(small, None), CPU)
    shown = torch.cat([batch.labels for batch in epoch_batches(student, tensors, 1, 1000)])
    assert set(shown.tolist()) == set(range(10)) - {3, 5}
    assert len(tensors.indices) == sum(label not in (3, 5) for label in small.train.labels)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"none", "routed"}))
def test_every_method_trains_through_the_loop(
    kd_cache: Path, recipe: Make, run: Callable[..., list[EpochResult]], small: Dataset, name: str
) -> None:
    values = {"alpha": 0.5, "temperature": 4.0, "guided": "relu1", "hint": "relu3", "hint_epochs": 1, "beta": 0.1}
    values |= {"hint": "relu1"} if name in ("attention", "neuron_selectivity") else {}
    values |= {"guided": ["relu1"], "hint": ["relu3"]} if name == "review" else {}
    knobs = {
        knob: values[knob] for knob, field in knob_schema(METHODS[name]).model_fields.items() if field.is_required()
    }
    mlp, cnn = {"name": "mlp", "hidden": [16]}, {"name": "cnn"}
    teacher = {"model": mlp if name == "attention" else cnn, "train": TRAIN}
    student = recipe(cnn if name == "neuron_selectivity" else mlp, {"name": name, **knobs}, teacher=teacher, epochs=4)
    epochs = run(student, teacher_data(student, small))
    first, last = epochs[0], epochs[-1]  # each stage has its own loss, and few images are noisy
    assert last.train_loss < first.train_loss or last.val_loss < first.val_loss


UNEVEN = torch.tensor([0] * 50 + [1] * 10 + [3] * 20)


def test_balanced_weights_are_those_of_scikit_learn(recipe: Make) -> None:
    weights = class_weights(recipe(class_weights="balanced").train, UNEVEN, 4)
    present = np.unique(UNEVEN)
    truth = compute_class_weight("balanced", classes=present, y=UNEVEN.numpy())
    assert weights is not None
    torch.testing.assert_close(weights[present].double(), torch.from_numpy(truth))
    assert weights[2] == 0 and weights[UNEVEN].mean().item() == pytest.approx(1)


def test_explicit_class_weights(recipe: Make) -> None:
    weights = class_weights(recipe(class_weights=[1.0, 2.0, 0.5, 4.0]).train, UNEVEN, 4)
    assert weights is not None and weights.tolist() == [1, 2, 0.5, 4]
    assert class_weights(recipe().train, UNEVEN, 4) is None


def test_a_weighted_mean_is_that_of_torch() -> None:
    logits, weights = torch.randn(len(UNEVEN), 4, generator=torch.Generator().manual_seed(0)), torch.arange(1.0, 5.0)
    losses = cross_entropy(logits, UNEVEN, reduction="none")
    torch.testing.assert_close(weighted_mean(losses, UNEVEN, weights), cross_entropy(logits, UNEVEN, weights))
    assert torch.equal(weighted_mean(losses, UNEVEN, None), losses.mean())


def test_a_larger_class_weight_gives_more_predictions(
    kd_cache: Path, recipe: Make, run: Callable[..., list[EpochResult]], small: Dataset
) -> None:
    predicted = []
    for weight in (1.0, 50.0):
        weighted = recipe({"name": "mlp", "hidden": [16]}, epochs=4, class_weights=[weight] + [1.0] * 9)
        student = build_network(weighted.network, small.shape, 10)
        student.load_state_dict(run(weighted, DistillationData(small, None))[-1].state.weights)
        predicted.append(
            (predict_output(student, torch.from_numpy(small.val.images)).logits.argmax(-1) == 0).sum().item()
        )
    assert predicted[1] > predicted[0]


def test_fewer_training_images_keep_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    drawn = {n: training_indices(Train(images=n), labels) for n in (10, 100, 500)}
    assert {n: np.bincount(labels[indices]).tolist() for n, indices in drawn.items()} == {
        10: [6, 3, 1],
        100: [60, 30, 10],
        500: [300, 150, 50],
    }
    assert set(drawn[10]) < set(drawn[100]) < set(drawn[500])
    assert np.array_equal(training_indices(Train(images=1000), labels), np.arange(1000))
    without = training_indices(Train.model_validate({"images": 90, "omit": {"classes": [0]}}), labels)
    assert len(without) == 90 and set(labels[without]) == {1, 2}


def test_a_student_and_its_teacher_may_train_on_different_numbers_of_images(
    kd_cache: Path, recipe: Make, small: Dataset
) -> None:
    teacher = {"model": {"name": "mlp", "hidden": [8]}, "train": TRAIN}
    method = {"name": "hinton", "alpha": 0.5, "temperature": 2.0}
    few, all_images = (recipe(teacher=teacher, method=method, batch_size=20, images=n) for n in (40, None))
    tensors = training_tensors(few, teacher_data(few, small), CPU)
    assert tensors.teacher_logits is not None
    assert (len(tensors.indices), len(tensors.images), tensors.teacher_logits.shape[1]) == (40, 200, 200)
    assert few.key() != all_images.key() and teacher_key(few, small) == teacher_key(all_images, small)
