"""Training on training and validation images together: `train_on: all` of a recipe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spaces.metrics import NO_VALIDATION
from spaces.recipe import Recipe
from trainables.augment import apply_views
from trainables.data.array_file import MappedArray, concatenate_rows, map_array, write_array
from trainables.distillation_data import DistillationData, requested_outputs
from trainables.evaluate import predict_logits
from trainables.fit import Diverged, fit
from trainables.models import build_network
from trainables.packs.fit_pack import fit_pack
from trainables.teachers.cache import read_teacher, teacher_folder
from trainables.teachers.key import teacher_key
from trainables.teachers.train import train_teacher

METHODS = [
    {"name": "hinton", "alpha": 0.5, "temperature": 4.0},
    {"name": "similarity", "alpha": 0.5, "guided": "relu1", "hint": "relu1"},  # of layers
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KD_CACHE", str(tmp_path))


@pytest.fixture(scope="session")
def few(digits):
    return digits.take(150, 60, 60)


def on_all(recipe):
    return recipe.model_copy(update={"train_on": "all"})


def teacher_outputs(recipe, data):
    *_, result = train_teacher(recipe, data, requested_outputs([recipe]))
    return result.outputs


def weights_after(recipe, data, start=None):
    *_, last = fit(recipe, data, start=start)
    return {name: value.clone() for name, value in last.state.weights.items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_student_is_that_of_a_data_set_with_these_training_images(recipe, few):
    epochs = list(fit(on_all(recipe()), DistillationData(few, None)))
    assert [epoch.val_metrics for epoch in epochs] == [NO_VALIDATION] * 3
    images = np.concatenate([few.train.images, few.val.images])
    labels = np.concatenate([few.train.labels, few.val.labels])
    joined = few._replace(train=few.train._replace(images=images, labels=labels))
    assert equal(weights_after(recipe(), DistillationData(joined, None)), epochs[-1].state.weights)


@pytest.mark.parametrize("train", [{}, {"shift": 1}], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])
def test_the_teacher_answers_for_the_validation_images_too(distilled_recipe, few, method, train):
    tree = distilled_recipe().model_dump()
    part = Recipe.model_validate({**tree, "method": method, "train": {**tree["train"], **train}})
    outputs = teacher_outputs(on_all(part), few)
    joined = few.join_validation()
    assert len(joined.train.labels) == 210 and not len(joined.val.labels)
    together = outputs.join_validation()
    assert np.array_equal(together.train, np.concatenate([outputs.train, outputs.val]))
    student = weights_after(on_all(part), DistillationData(few, outputs))
    by_hand = DistillationData(joined._replace(val=few.val), together._replace(val=outputs.val))
    assert equal(student, weights_after(part, by_hand))


def test_views_of_validation_images_are_those_that_the_student_sees(distilled_recipe, few):
    """A teacher of the joined data set has the same logits for its views."""
    part = distilled_recipe()
    part = on_all(part.model_copy(update={"train": part.train.model_copy(update={"shift": 1})}))
    outputs = teacher_outputs(part, few)
    teacher = read_teacher(teacher_folder(teacher_key(part, few)))
    assert teacher is not None
    network = build_network(part.teacher_recipe().network, few.shape, 10)
    network.load_state_dict(teacher.weights)
    images, n = torch.from_numpy(few.join_validation().train.images.copy()), 210
    for view in range(9):
        seen = apply_views(images, 1, torch.full((n,), view), torch.arange(n))
        expected = predict_logits(network, seen).numpy()
        np.testing.assert_allclose(outputs.join_validation().views[1][view], expected, rtol=0, atol=1e-5)


def test_a_pack_is_trained_as_its_students_alone(recipe, few):
    students = [on_all(recipe({"name": "mlp", "hidden": [8]}, lr=lr)) for lr in (0.01, 0.001)]
    *_, last = fit_pack(students, DistillationData(few, None))
    for student, result in zip(students, last.values(), strict=True):
        assert result.val_metrics == NO_VALIDATION
        alone = weights_after(student, DistillationData(few, None))
        for name, value in alone.items():
            torch.testing.assert_close(result.state.weights[name], value, rtol=0, atol=1e-4)


def test_a_training_is_resumed_from_its_checkpoint(recipe, few):
    student, data = on_all(recipe()), DistillationData(few, None)
    first = next(fit(student, data))
    state = first.state._replace(weights={name: value.clone() for name, value in first.state.weights.items()})
    assert equal(weights_after(student, data, start=state), weights_after(student, data))


def test_a_loss_that_is_not_finite_still_ends_a_student(recipe, few):
    with pytest.raises(Diverged, match=r"^loss (nan|inf) on train in epoch 1$"):
        list(fit(on_all(recipe(lr=1e30)), DistillationData(few, None)))


def test_the_images_are_part_of_a_students_identity(recipe):
    assert on_all(recipe()).key() != recipe().key()
    assert recipe().model_copy(update={"train_on": None}).key() == recipe().key()


def test_adjacent_rows_of_a_file_stay_mapped(tmp_path):
    content = np.arange(24, dtype=np.uint8).reshape(8, 3)
    write_array(tmp_path / "rows.npy", [content], content.shape, content.dtype)
    mapped = map_array(tmp_path / "rows.npy")
    both = concatenate_rows(mapped[:3], mapped[3:5])
    assert isinstance(both, MappedArray) and both.path and np.array_equal(both, content[:5])
    assert np.array_equal(concatenate_rows(mapped[:3], mapped[4:]), np.delete(content, 3, 0))
