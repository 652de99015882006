"""Products with drawn rows: equal to all products, of which the drawn are kept."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from trainables.methods.sampled_products import FEW, sampled_products

ROWS = 200


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("number", [1, int(FEW * ROWS) - 1, ROWS])
def test_values_and_gradient_are_those_of_all_products(number: int, dtype: torch.dtype) -> None:
    source = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, 16, generator=source, dtype=dtype)
    vectors = torch.randn(6, 16, generator=source, dtype=dtype, requires_grad=True)
    drawn = torch.randint(ROWS, (6, number), generator=source)  # with duplicates and without order
    weights = torch.randn(6, number, generator=source, dtype=dtype)
    products = sampled_products(vectors, rows, drawn)
    expected = (vectors @ rows.mT).gather(1, drawn)
    assert_close(products, expected)
    gradients = (torch.autograd.grad((weights * values).sum(), vectors)[0] for values in (products, expected))
    assert_close(*gradients)
