"""Width of the results in a pipe."""

from __future__ import annotations

import pytest

from results.console import results_console


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("0", 160), ("wide", 160), (None, 160)])
def test_a_pipe_is_as_wide_as_columns_says(monkeypatch, columns, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert results_console().width == width
