"""`track:` by name alone or with an address, and what is no tracker."""

from __future__ import annotations

import pytest

from spaces.errors import UserError
from spaces.extend import changed_keys
from spaces.sections import Track
from spaces.space import load_space


@pytest.fixture
def write(tmp_path):
    def written(line: str):
        path = tmp_path / "tracked.yaml"
        path.write_text(f"method: {{name: hinton, alpha: {{choice: [0, 1]}}}}\n{line}\n")
        return path

    return written


@pytest.mark.parametrize(
    ("line", "track"),
    [
        ("", None),
        ("track: mlflow", Track()),
        ("track: {mlflow: null}", Track()),
        ("track: {mlflow: 'sqlite:///x.db'}", Track(mlflow="sqlite:///x.db")),
    ],
)
def test_who_is_told(write, line, track):
    space = load_space(write(line))
    assert space.track == track and space.shrink().track == track
    written = write("")
    written.write_text(space.dump())
    assert load_space(written).track == track


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("track: mlfow", "track: unknown tracker mlfow; did you mean mlflow?"),
        ("track: {mlfow: x}", "track.mlfow: unknown key; did you mean mlflow?"),
        ("track: 3", "track: found 3, expected a mapping"),
        ("track: {mlflow: 3}", "track.mlflow: found 3, expected text"),
    ],
)
def test_what_is_no_tracker(write, line, said):
    with pytest.raises(UserError) as caught:
        load_space(write(line))
    assert str(caught.value).endswith(f"tracked.yaml:2: {said}")


def test_a_tracker_may_be_named_later(write):
    before = load_space(write(""))
    assert changed_keys(before, load_space(write("track: mlflow"))) == []
