"""A table by a formula: accuracy falls with the distance from a learning rate of 0.01."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CONFIGURATIONS, SEEDS, EPOCHS = 60, 6, 9


@pytest.fixture
def write_table_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a table in the flat form, with some arrays replaced; None removes one."""

    def write(noise: float = 0.0, **arrays: Any) -> Path:
        rng = np.random.default_rng(0)
        rates = 10 ** rng.uniform(-4, 0, CONFIGURATIONS)
        options = rng.integers(0, 2, CONFIGURATIONS)
        best = 0.9 - 0.1 * (np.log10(rates) + 2) ** 2
        curves = best[:, None, None] - 0.3 / np.arange(1, EPOCHS + 1) + np.zeros((1, SEEDS, 1))
        noisy = (np.clip(curves + noise * rng.standard_normal(curves.shape), 0, 1) for _ in range(2))
        content = {
            "domains": ["{loguniform: [1e-4, 1]}", "{choice: [adam, sgd]}"],
            "knobs": ["train.lr", "optimizer"],
            "values": [[str(rate), ["adam", "sgd"][option]] for rate, option in zip(rates, options, strict=True)],
            **dict(zip(("val", "test"), noisy, strict=True)),
            **arrays,
        }
        path = tmp_path / "formula.npz"
        np.savez(path, **{name: np.asarray(array) for name, array in content.items() if array is not None})
        return path

    return write
