"""Bytes of a training, against sums by hand."""

from __future__ import annotations

from typing import Any

import pytest

from search.plan.footprint import outputs_bytes, training_bytes, views_bytes, weights_bytes
from spaces.recipe import Recipe
from spaces.training import Augment
from trainables.data import Dataset
from trainables.distillation_data import RequestedOutputs

IMAGE_BYTES = (1097 + 300) * 64  # bytes of the digits' images
NETWORK = (64 * 16 + 16 + 16 * 10 + 10) * 4
LAYERS = 64 + 64 + 64 + 16 + 16 + 16 + 10  # image, flatten, dropout, linear, relu, dropout, logits


def recipe(**parts: Any) -> Recipe:
    student = {"model": {"name": "mlp", "hidden": [16]}}
    baseline = {"teacher": None, "method": {"name": "none"}}
    return Recipe.model_validate({"data": {"name": "digits"}, "student": student, **baseline} | parts)


@pytest.mark.parametrize(
    ("train", "tensors"),
    [
        ({"optimizer": "adam"}, 4),
        ({"optimizer": "rmsprop"}, 3),
        ({"optimizer": "sgd"}, 3),
        ({"optimizer": "sgd", "momentum": 0.0}, 2),
    ],
)
def test_network_gradients_and_moments_beside_images_and_a_batch(digits: Dataset, train: Any, tensors: int) -> None:
    size = training_bytes(recipe(train={"batch_size": 512, **train}), digits)
    assert size == IMAGE_BYTES + tensors * NETWORK + 512 * (LAYERS + 2 * 64) * 4


def test_scoring_counts_where_batches_are_small(digits: Dataset) -> None:
    assert training_bytes(recipe(train={"batch_size": 1}), digits) == IMAGE_BYTES + 4 * NETWORK + 300 * 2 * 64 * 4


def test_a_student_holds_its_teachers_answers(digits: Dataset) -> None:
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    distilled = recipe(teacher=teacher, method={"name": "hinton", "alpha": 0.5, "temperature": 4})
    logits = 1797 * 10 * 4
    assert (
        training_bytes(distilled, digits) - training_bytes(recipe(), digits)
        == logits
        == outputs_bytes(distilled.network, digits, RequestedOutputs())
    )


def test_the_module_of_a_method_is_counted(digits: Dataset) -> None:
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    layers = {"alpha": 0.5, "guided": "relu1", "hint": "relu1"}
    own, plain = (
        training_bytes(recipe(teacher=teacher, method={"name": name} | layers | knobs), digits)
        for name, knobs in (("contrastive", {"dimensions": 4}), ("similarity", {}))
    )
    embeddings, memories, classes = (17 + 9) * 4 * 4, 2 * 1097 * 4 * 4 + 2 * 4, 3 * 1097 * 8
    assert own - plain == 4 * embeddings + memories + classes


def test_what_is_asked_for_beside_the_logits_is_counted(digits: Dataset) -> None:
    model, plain = recipe().network, outputs_bytes(recipe().network, digits, RequestedOutputs())
    assert outputs_bytes(model, digits, RequestedOutputs(layers=("relu1",))) - plain == 1097 * 16 * 4
    assert outputs_bytes(model, digits, RequestedOutputs(policies=(1,))) - plain == 1097 * 9 * 10 * 4


def test_many_views_take_half(digits: Dataset) -> None:
    few, many = Augment(views=16, crop=1), Augment(views=6400, crop=1)
    assert views_bytes(few, digits) == 16 * 1097 * 10 * 4
    assert views_bytes(many, digits) == 6400 * 1097 * 10 * 2


def test_layers_of_other_teachers_take_nothing(digits: Dataset) -> None:
    model = recipe().student.model
    assert outputs_bytes(model, digits, RequestedOutputs(("pool2",))) == outputs_bytes(
        model, digits, RequestedOutputs()
    )


def test_weights_are_those_of_the_network(digits: Dataset) -> None:
    assert weights_bytes(recipe().network, digits) == NETWORK
