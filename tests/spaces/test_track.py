"""`track:` by name alone or with an address, and what is no tracker."""

from __future__ import annotations

import pytest

from spaces.errors import UserError
from spaces.extend import changes
from spaces.sections import Track
from spaces.space import load


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
    space = load(write(line))
    assert space.track == track and space.shrunk().track == track
    written = write("")
    written.write_text(space.dump())
    assert load(written).track == track


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
        load(write(line))
    assert str(caught.value).endswith(f"tracked.yaml:2: {said}")


def test_a_tracker_may_be_named_later(write):
    before = load(write(""))
    assert changes(before, load(write("track: mlflow"))) == []
