"""Fixtures: a space file, its Space, and its error lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from spaces.errors import UserError
from spaces.space import Space, load_space


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_file(text: str, name: str = "x.yaml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def space(write: Callable[[str], Path]) -> Callable[[str], Space]:
    return lambda text: load_space(write(text))


@pytest.fixture
def errors(write: Callable[[str], Path]) -> Callable[..., list[str]]:
    """Return the error lines of a space text, without the name of the file."""

    def error_lines(text: str, validate: object = None) -> list[str]:
        path = write(text)
        with pytest.raises(UserError) as caught:
            load_space(path, validate)  # type: ignore[arg-type]
        lines = str(caught.value).splitlines()
        assert all(line.startswith(f"{path}:") for line in lines)
        return [line.removeprefix(f"{path}:") for line in lines]

    return error_lines
