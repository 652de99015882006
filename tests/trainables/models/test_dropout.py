from __future__ import annotations

import pytest
import torch

from trainables.models.dropout import Dropout

ONES = torch.ones(1000, 400)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_the_rate_and_the_scale(rate: float) -> None:
    torch.manual_seed(0)
    output = Dropout(rate)(ONES)
    deviation = (rate * (1 - rate) / ONES.numel()) ** 0.5
    assert abs((output == 0).double().mean() - rate) < 4 * deviation
    assert abs(output.double().mean() - 1) < 4 * deviation / (1 - rate)
    assert output[output > 0].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=1e-4)


def test_neighbors_are_dropped_independently() -> None:
    """Four values share one random number; they must be independent in rows and columns."""
    torch.manual_seed(0)
    output = (Dropout(0.5)(ONES) > 0).double()
    flat = output.flatten() - output.mean()
    products = [4 * (flat[:-lag] * flat[lag:]).mean().abs() for lag in (1, 2, 3, 4, 8, 400)]
    assert max(products) < 4 / flat.numel() ** 0.5


def test_a_seed_determines_the_mask() -> None:
    def output_of_seed(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5)(ONES)

    assert torch.equal(output_of_seed(1), output_of_seed(1)) and not torch.equal(output_of_seed(1), output_of_seed(2))


@pytest.mark.parametrize(("layer", "expected"), [(Dropout(0.5).eval(), 1), (Dropout(0), 1), (Dropout(1), 0)])
def test_no_dropout_and_full_dropout(layer: Dropout, expected: int) -> None:
    assert (layer(ONES) == expected).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 3, 4, 5)])
def test_the_gradient_has_the_mask_of_the_values(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    values = torch.ones(shape, dtype=dtype, requires_grad=True)
    output = Dropout(0.5)(values)
    output.sum().backward()
    assert output.dtype == dtype and values.grad is not None and torch.equal(values.grad, output)
