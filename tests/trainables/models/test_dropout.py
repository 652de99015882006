from __future__ import annotations

import pytest
import torch

from trainables.models.dropout import Dropout

ONES = torch.ones(1000, 400)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_so_many_are_dropped_and_the_others_make_up_for_them(rate: float) -> None:
    torch.manual_seed(0)
    shown = Dropout(rate)(ONES)
    deviation = (rate * (1 - rate) / ONES.numel()) ** 0.5
    assert abs((shown == 0).double().mean() - rate) < 4 * deviation
    assert abs(shown.double().mean() - 1) < 4 * deviation / (1 - rate)
    assert shown[shown > 0].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=1e-4)


def test_neighbours_are_dropped_apart_from_each_other() -> None:
    """Four values share one random number; along a row and down a column they must not know of each other."""
    torch.manual_seed(0)
    shown = (Dropout(0.5)(ONES) > 0).double()
    flat = shown.flatten() - shown.mean()
    products = [4 * (flat[:-lag] * flat[lag:]).mean().abs() for lag in (1, 2, 3, 4, 8, 400)]
    assert max(products) < 4 / flat.numel() ** 0.5


def test_the_seed_decides() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5)(ONES)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize(("layer", "expected"), [(Dropout(0.5).eval(), 1), (Dropout(0), 1), (Dropout(1), 0)])
def test_all_or_nothing(layer: Dropout, expected: int) -> None:
    assert (layer(ONES) == expected).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 3, 4, 5)])
def test_the_gradient_goes_where_the_values_went(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    given = torch.ones(shape, dtype=dtype, requires_grad=True)
    shown = Dropout(0.5)(given)
    shown.sum().backward()
    assert shown.dtype == dtype and given.grad is not None and torch.equal(given.grad, shown)
