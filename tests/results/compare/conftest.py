"""Experiments to be compared: of one protocol unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from results import records


@pytest.fixture
def grid(synthetic, tmp_path) -> Callable[..., Path]:
    """Writes a finished grid of three seeds under a name of its own; `about` takes the place of what is recorded."""

    def write(name: str, about: dict | None = None, seeds=(0, 1, 2), alphas=(0, 0.5, 1), **how) -> Path:
        made = synthetic.Build(tmp_path / name, synthetic.space(alphas=alphas, name=name), **how)
        for seed in seeds:
            made.student("baseline", {}, seed)
            for alpha in alphas[1:]:
                for temperature in (1, 4, 16):
                    made.student("explore", {"method.alpha": alpha, "method.temperature": temperature}, seed)
        made.done()
        records.save_environment(made.folder, records.environment(made.folder) | (about or {}))
        return made.folder

    return write


@pytest.fixture
def cells() -> Callable[[str], list[list[str]]]:
    """The lines of a table in Markdown as cells, without the line of dashes and what is not the table."""

    def split(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    return split
