"""Experiments to be compared, by default of one protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from results import records


@pytest.fixture
def grid(synthetic, tmp_path) -> Callable[..., Path]:
    """Write a finished grid of three seeds; `environment` replaces recorded values."""

    def write(name: str, environment: dict | None = None, seeds=(0, 1, 2), alphas=(0, 0.5, 1), **how) -> Path:
        builder = synthetic.Build(tmp_path / name, synthetic.space(alphas=alphas, name=name), **how)
        for seed in seeds:
            builder.student("baseline", {}, seed)
            for alpha in alphas[1:]:
                for temperature in (1, 4, 16):
                    builder.student("explore", {"method.alpha": alpha, "method.temperature": temperature}, seed)
        builder.done()
        records.save_environment(builder.folder, records.read_environment(builder.folder) | (environment or {}))
        return builder.folder

    return write


@pytest.fixture
def cells() -> Callable[[str], list[list[str]]]:
    """Split the lines of a Markdown table into cells."""

    def split(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    return split
