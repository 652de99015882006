"""The module of a method: trained, checkpointed, resumed bit for bit, and dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.data import Dataset
from trainables.declare import declaration_of, declare
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult, fit
from trainables.methods import METHODS
from trainables.models import build_network
from trainables.observed_shapes import ObservedShapes
from trainables.output import Output

Make = Callable[..., Recipe]
CNN = {"model": {"name": "cnn"}}
LAYERS = {"guided": "pool1", "hint": "pool1"}
# One method with a module each, with a student of the teacher's kind.
STATEFUL: dict[str, dict[str, Any]] = {
    "boundary": {"guided": "conv1", "hint": "conv1", "regressor": "conv", "hint_epochs": 1, "temperature": 4.0},
    "contrastive": {**LAYERS, "dimensions": 8, "negatives": 20},
    "fitnets": {**LAYERS, "regressor": "conv", "hint_epochs": 1, "temperature": 4.0},
    "hint": LAYERS,
    "projected": LAYERS | {"regressor": "conv"},
    "review": {"guided": ["pool1", "relu3"], "hint": ["pool1", "relu3"]},
    "variational": LAYERS,
}


def test_every_module_is_tested() -> None:
    assert STATEFUL.keys() == {name for name, method in METHODS.items() if declaration_of(method).module}


@pytest.fixture(scope="module")
def student(recipe: Make, digits: Dataset) -> Callable[[str], tuple[Recipe, DistillationData]]:
    """Return a function for a student of a method, and its data."""

    def student_of(name: str, knobs: dict[str, Any] | None = None) -> tuple[Recipe, DistillationData]:
        method = {"name": name} | ({"alpha": 0.5} | STATEFUL[name] if knobs is None else knobs)
        own = recipe({"name": "cnn"}, method, teacher=CNN, batch_size=32, epochs=2)
        return own, dummy_distillation_data(own, digits.take(64, 20, 20))

    return student_of


@pytest.mark.parametrize("name", sorted(STATEFUL))
def test_a_killed_training_continues_bit_for_bit(
    name: str,
    student: Callable[[str], tuple[Recipe, DistillationData]],
    run: Callable[..., list[EpochResult]],
    same: Callable[..., bool],
    tmp_path: Path,
) -> None:
    own, data = student(name)
    results = run(own, data)
    # Stop as a killed worker does, after the checkpoint of an epoch; the next one may be that of a second stage.
    checkpoint.save_checkpoint(tmp_path / "state", next(fit(own, data)).state)
    assert same(run(own, data, checkpoint.load_checkpoint(tmp_path / "state")), results[1:])

    first, last = (result.state for result in results)
    assert last.weights.keys() == build_network(own.network, data.data.shape, 10).state_dict().keys()
    stays = "hint_epochs" in STATEFUL[name]
    after = last.method_module
    assert after and stays == all(torch.equal(first.method_module[key], after[key]) for key in after)
    for memory in ("student_memory", "teacher_memory") if name == "contrastive" else ():
        torch.testing.assert_close(after[memory].norm(dim=1), torch.ones(64))  # every image was seen


def test_inputs_of_a_method_are_those_of_the_batch(
    student: Callable[..., tuple[Recipe, DistillationData]],
    run: Callable[..., list[EpochResult]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Tensor, Tensor, Tensor]] = []

    class Count(nn.Module):
        def __init__(self, shapes: ObservedShapes) -> None:
            super().__init__()
            self.register_buffer("labels", shapes.labels)
            self.register_buffer("times", torch.zeros(len(shapes.labels)))

    @declare(module=Count)
    def recording(
        student: Output, teacher: Output, labels: Tensor, images: Tensor, indices: Tensor, module: nn.Module
    ) -> Tensor:
        seen.append((images, indices, labels))
        module.times[indices] += 1
        assert torch.equal(module.labels[indices], labels)
        return cross_entropy(student.logits, labels, reduction="none")

    monkeypatch.setitem(METHODS, "recording", recording)
    own, data = student("recording", {})
    own = own.model_copy(update={"train": own.train.model_copy(update={"images": 40, "batch_size": 20})})
    times = run(own, data)[-1].state.method_module["times"]
    assert torch.equal(times, torch.full((40,), 2.0))
    images, _, labels = seen[0]
    assert images.dtype == torch.uint8 and images.shape == (20, *data.data.shape)
    by_image = {image.numpy().tobytes(): label for image, label in zip(images, labels.tolist(), strict=True)}
    train = data.data.train
    assert all(train.labels[list(map(bytes, train.images)).index(key)] == label for key, label in by_image.items())
