from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score
from torch import nn

from spaces.recipe import Model
from trainables import evaluate
from trainables.evaluate import agreement, at_once, auc, predict, score
from trainables.models import build


def random(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def test_scores_by_hand() -> None:
    # Right with probability 3/4, right with 1/2, wrong with 1/4.
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0], [math.log(3), 0.0]])
    found = score(logits, torch.tensor([0, 0, 1]))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.loss == pytest.approx((math.log(4 / 3) + math.log(2) + math.log(4)) / 3)


def test_accuracy_is_exact() -> None:
    labels = torch.zeros(10_000, dtype=torch.int64)
    logits = torch.tensor([[1.0, 0.0]]).repeat(10_000, 1)
    logits[:137] = torch.tensor([0.0, 1.0])
    assert score(logits, labels).accuracy == 0.9863


def test_a_loss_that_is_not_finite_is_told() -> None:
    logits = random(3)
    logits[1, 0] = math.nan
    assert math.isnan(score(logits, torch.tensor([0, 1, 2])).loss)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(20, 60), classes=st.integers(2, 5), digits=st.integers(0, 3), seed=st.integers(0, 99))
def test_f1_and_auc_are_scikit_learns(n: int, classes: int, digits: int, seed: int) -> None:
    """With all classes and with ties: logits of few digits are often equal."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, generator=generator).round(decimals=digits)
    labels = torch.cat([torch.arange(classes), torch.randint(0, classes, (n - classes,), generator=generator)])
    found, named, likely = score(logits, labels), logits.argmax(-1), logits.double().softmax(-1).numpy()
    area = roc_auc_score(labels, likely[:, 1] if classes == 2 else likely, multi_class="ovr")
    assert found.macro_f1 == pytest.approx(f1_score(labels, named, average="macro"))
    assert found.auc == pytest.approx(area)
    assert found.f1 == (None if classes > 2 else pytest.approx(f1_score(labels, named)))


def test_f1_of_the_second_of_two_classes_by_hand() -> None:
    # named 1: four images, three rightly; five are of class 1
    logits = torch.eye(2)[torch.tensor([1, 1, 1, 1, 0, 0, 0, 0])]
    found = score(logits, torch.tensor([1, 1, 1, 0, 1, 1, 0, 0]))
    assert found.f1 == pytest.approx(6 / 9) and found.macro_f1 == pytest.approx((6 / 9 + 4 / 7) / 2)
    assert score(torch.tensor([[1.0, 0.0]]), torch.tensor([1])).f1 == 0


def test_classes_that_do_not_occur_count_nowhere() -> None:
    logits, labels = random(30), torch.tensor([0, 1, 3] * 10)
    found, likely = score(logits, labels), logits.double().softmax(-1).numpy()
    truth = [roc_auc_score(labels == label, likely[:, label]) for label in (0, 1, 3)]
    assert found.auc == pytest.approx(sum(truth) / 3)
    assert found.macro_f1 == pytest.approx(f1_score(labels, logits.argmax(-1), average="macro"))


def test_there_is_no_area_under_the_curve_of_one_class() -> None:
    assert auc(random(5), torch.zeros(5, dtype=torch.int64)) is None
    broken = random(5)
    broken[0, 0] = math.nan
    assert auc(broken, torch.arange(5) % 2) is None


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 99))
def test_agreement_is_a_symmetric_fraction_of_classes_named(n: int, seed: int) -> None:
    some, others = random(n, seed), random(n, seed + 1)
    found = agreement(some, others)
    assert found == agreement(others, some) == agreement(3 * some + 1, others)
    assert found * n == pytest.approx(sum(a.argmax() == b.argmax() for a, b in zip(some, others, strict=True)))
    assert agreement(some, some) == 1


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


IMAGES = torch.randint(0, 256, (25, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [1, 7, 24, 25, 1000])
def test_logits_do_not_depend_on_the_batch(network: nn.Module, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    whole = network.eval()(IMAGES.float() / 255)
    monkeypatch.setattr(evaluate, "BATCH", batch)
    torch.testing.assert_close(predict(network, IMAGES), whole)


@pytest.mark.parametrize(("side", "images"), [(8, 1000), (28, 1000), (32, 1000), (64, 1000), (96, 444), (224, 81)])
def test_of_large_images_fewer_are_answered_at_once(side: int, images: int) -> None:
    """Of small ones as many as ever: what was published depends on it in the last bits."""
    assert at_once(nn.Identity(), (3, side, side)) == images
    resized = Model.model_validate({"name": "mlp", "hidden": [4], "resize": side})
    assert at_once(build(resized, (1, 8, 8), 10), (1, 8, 8)) == images
    inside = Model.model_validate({"name": "ensemble", "members": 2, "of": resized.model_dump(exclude_none=True)})
    assert at_once(build(inside, (1, 8, 8), 10), (1, 8, 8)) == images


def test_the_largest_images_are_answered_one_by_one() -> None:
    class Counting(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            return images.mean((2, 3))

    seen: list[int] = []
    assert predict(Counting(), torch.zeros(2, 3, 4000, 1, dtype=torch.uint8)).shape == (2, 3) and seen == [2]
    assert predict(Counting(), torch.zeros(1, 3, 1, 1, dtype=torch.uint8).expand(3, 3, 2000, 2000)).shape == (3, 3)
    assert seen == [2, 1, 1, 1]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_was(network: nn.Module, training: bool) -> None:
    network.train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = predict(network, IMAGES)
    assert torch.equal(first, predict(network, IMAGES))  # dropout is off
    assert network.training is training and not first.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_logits_are_float32_whatever_the_model(network: nn.Module) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert predict(network, IMAGES).dtype == torch.float32
