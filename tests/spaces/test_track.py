"""`track:` by name alone or with options; trackers validate their own options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.extend import changed_keys
from spaces.space import Space, load_space

SPACE = "method: {name: hinton, alpha: {choice: [0, 1]}}\n"


@pytest.mark.parametrize(
    ("line", "track"),
    [
        ("", None),
        ("track: mlflow", {"mlflow": None}),
        ("track: {mlflow: null}", {"mlflow": None}),
        ("track: {mlflow: 'sqlite:///x.db'}", {"mlflow": "sqlite:///x.db"}),
    ],
)
def test_track(space: Callable[[str], Space], line: str, track: dict[str, Any] | None) -> None:
    tracked = space(SPACE + line)
    assert tracked.track == tracked.shrink().track == space(tracked.dump()).track == track


def test_not_a_mapping(errors: Callable[[str], list[str]]) -> None:
    assert errors(SPACE + "track: 3") == ["2: track: found 3, expected a mapping"]


def test_tracker_may_be_added_later(write: Callable[..., Path]) -> None:
    old, new = (load_space(write(SPACE + line)) for line in ("", "track: mlflow"))
    assert changed_keys(old, new) == []
