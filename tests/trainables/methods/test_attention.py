"""Attention maps of grids and of vectors, of one size and of two."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from trainables.methods.attention import attention
from trainables.output import Output


def teacher_term(guided: Tensor, hint: Tensor, beta: float = 1.0) -> Tensor:
    """The loss without the labels."""
    logits, labels = torch.zeros(len(guided), 2), torch.zeros(len(guided), dtype=torch.long)
    student, teacher = Output(logits, {"layer": guided}), Output(logits, {"layer": hint})
    return attention(student, teacher, labels, alpha=1.0, guided="layer", hint="layer", beta=beta)


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_attention_in_numpy(channels: int) -> None:
    guided, hint = random_tensor(4, channels, 3, 5), random_tensor(4, 6, 3, 5, seed=1)
    maps = [(layer.numpy() ** 2).sum(1).reshape(4, -1) for layer in (guided, hint)]
    p, q = (layer / np.linalg.norm(layer, axis=-1, keepdims=True) for layer in maps)
    np.testing.assert_allclose(teacher_term(guided, hint, beta=1000.0), 1000 * ((p - q) ** 2).mean(-1))


def test_attention_by_hand() -> None:
    # Maps (3, 4) and (1, 0) of length 1: differences -2/5 and 4/5, mean square 2/5.
    guided = torch.tensor([[[[3.0**0.5, 2.0]]]])
    assert_close(teacher_term(guided, torch.tensor([[[[7.0, 0.0]]]])), torch.tensor([0.4]))


def test_the_finer_map_is_averaged_down() -> None:
    coarse, fine = random_tensor(4, 3, 2, 3), random_tensor(4, 6, 4, 9, seed=1)
    means = fine.square().mean(1).unflatten(1, (2, 2)).unflatten(3, (3, 3)).mean((2, 4))
    averaged = means.sqrt()[:, None]  # one channel with this map
    assert_close(teacher_term(coarse, fine), teacher_term(coarse, averaged))
    assert_close(teacher_term(fine, coarse), teacher_term(averaged, coarse))


def test_height_and_width_are_the_smaller_ones() -> None:
    tall, wide = random_tensor(4, 3, 8, 2), random_tensor(4, 3, 4, 6, seed=1)
    assert teacher_term(tall, wide).isfinite().all()
    constant = torch.ones(4, 3, 8, 2), torch.ones(4, 5, 4, 6)
    assert_close(teacher_term(*constant), torch.zeros(4))


def test_only_the_place_of_activity_counts() -> None:
    guided, hint = random_tensor(4, 3, 3, 5), random_tensor(4, 6, 3, 5, seed=1)
    assert_close(teacher_term(-7 * guided[:, [2, 0, 1]], hint), teacher_term(guided, hint))


def test_units_of_a_vector_are_its_positions() -> None:
    guided, hint = random_tensor(4, 15), random_tensor(4, 15, seed=1)
    assert_close(teacher_term(guided, hint), teacher_term(guided.view(4, 1, 3, 5), hint.view(4, 1, 3, 5)))


@pytest.mark.parametrize(
    ("guided", "hint", "shapes"),
    [((15,), (16,), r"\[15\] and \[16\]"), ((15,), (3, 3, 5), r"\[15\] and \[3, 5\]")],
)
def test_incompatible_layers_are_an_error(guided: tuple[int, ...], hint: tuple[int, ...], shapes: str) -> None:
    with pytest.raises(ValueError, match=f"method attention: positions {shapes} do not match; expected two grids"):
        teacher_term(random_tensor(4, *guided), random_tensor(4, *hint))
