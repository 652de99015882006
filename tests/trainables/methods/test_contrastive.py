"""Contrastive representation distillation: values in numpy, its memory and its negatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.methods.contrastive import UNSET, ContrastMemory, contrastive
from trainables.observed_shapes import LayersError, ObservedShapes
from trainables.output import Output

IMAGES, CLASSES, DIMENSIONS = 40, 4, 5
LABELS = torch.arange(IMAGES) % CLASSES
KNOBS = {"alpha": 0.3, "guided": "own", "hint": "hint", "dimensions": DIMENSIONS, "negatives": 7, "momentum": 0.25}


@pytest.fixture
def module() -> ContrastMemory:
    torch.manual_seed(0)
    shapes = ObservedShapes({"own": torch.Size([3])}, {"hint": torch.Size([2, 2])}, frozenset(), LABELS)
    return ContrastMemory(shapes, guided="own", hint="hint", dimensions=DIMENSIONS).double()


def random_batch(seed: int) -> tuple[Output, Output, Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    student, teacher, logits = (
        torch.randn(6, *shape, generator=source, dtype=torch.float64) for shape in ((3,), (2, 2), (CLASSES,))
    )
    indices = torch.randperm(IMAGES, generator=source)[:6]
    return Output(logits, {"own": student}), Output(logits, {"hint": teacher}), LABELS[indices], indices


def step(module: ContrastMemory, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return contrastive(*random_batch(seed), module, **KNOBS)


def test_two_steps_in_numpy(module: ContrastMemory) -> None:
    """Two steps of the algorithm with K negatives: constants Z of the first, moved memories in the second."""
    memories = [module.student_memory.numpy().copy(), module.teacher_memory.numpy().copy()]
    layers = [sequence[1] for sequence in (module.student, module.teacher)]
    weights = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]
    constants: list[float] = []
    for seed in (1, 2):
        student, teacher, labels, indices = random_batch(seed)
        torch.manual_seed(seed)
        drawn = np.concatenate([indices[:, None], module.draw_negatives(indices, 7)], 1)
        inputs = student.features["own"].numpy(), teacher.features["hint"].numpy().reshape(6, 4)
        raw = [x @ weight.T + bias for x, (weight, bias) in zip(inputs, weights, strict=True)]
        vectors = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in raw]
        expected = np.zeros(6)
        for side in (0, 1):
            powers = np.exp((memories[1 - side][drawn] * vectors[side][:, None]).sum(-1) / 0.07)
            if seed == 1:
                constants.append(powers.mean() * IMAGES)
            p, noise = powers / constants[side], 7 / IMAGES
            expected -= np.log(p[:, 0] / (p[:, 0] + noise + 1e-7))
            expected -= np.log(noise / (p[:, 1:] + noise + 1e-7)).sum(1)
        z = student.logits.numpy()
        hard = np.log(np.exp(z).sum(1)) - z[np.arange(6), labels.numpy()]
        losses = step(module, seed).detach().numpy()
        np.testing.assert_allclose(losses, 0.3 * 0.8 * expected + 0.7 * hard)
        for memory, own in zip(memories, vectors, strict=True):
            moved = 0.25 * memory[indices] + 0.75 * own
            memory[indices] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        np.testing.assert_allclose(module.student_memory, memories[0])
        np.testing.assert_allclose(module.teacher_memory, memories[1])
        np.testing.assert_allclose(module.constants, constants)


def test_the_first_batch_sets_the_constants(module: ContrastMemory) -> None:
    assert (module.constants == UNSET).all()
    step(module, 1)
    first = module.constants.clone()
    step(module, 2)
    assert torch.equal(module.constants, first) and (first > 0).all()


def test_negatives_are_the_images_of_other_classes(module: ContrastMemory) -> None:
    drawn = module.draw_negatives(torch.arange(IMAGES), 400)
    assert (LABELS[drawn] != LABELS[:, None]).all()
    expected = [set(torch.arange(IMAGES)[label != LABELS].tolist()) for label in range(CLASSES)]
    assert [set(drawn[label].tolist()) for label in range(CLASSES)] == expected  # each of the 30, in 400 draws


def test_one_class_has_no_negatives() -> None:
    shapes = ObservedShapes({"own": torch.Size([3])}, {"hint": torch.Size([3])}, frozenset(), torch.zeros(9))
    with pytest.raises(LayersError, match="at least two classes"):
        ContrastMemory(shapes, guided="own", hint="hint", dimensions=2)
