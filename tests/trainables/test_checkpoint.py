from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables import checkpoint
from trainables.fit import State
from trainables.weights import tensor_file

STATE = State(
    epoch=3,
    seconds=0.1 + 0.2,
    weights={"linear1.weight": torch.arange(6.0).reshape(2, 3), "student.bias": torch.ones(2)},
    optimiser={"0.step": torch.tensor(51.0), "0.exp_avg": torch.full((2, 3), 0.5)},
    regressor={"0.1.bias": torch.zeros(3)},
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "state", STATE)
    found = checkpoint.load(tmp_path / "state")
    assert found[:2] == STATE[:2]
    for part, expected in zip(found[2:], STATE[2:], strict=True):
        assert part.keys() == expected.keys()
        assert all(torch.equal(part[name], expected[name]) for name in expected)


def test_the_last_one_is_kept(tmp_path: Path) -> None:
    for epoch in (1, 2):
        checkpoint.save(tmp_path / "state", STATE._replace(epoch=epoch))
    assert checkpoint.load(tmp_path / "state").epoch == 2
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_damaged_one_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, STATE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=str(path)):
        checkpoint.load(path)


def test_other_tensors_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state"
    tensor_file.write(path, {"student.weight": torch.ones(2)})
    with pytest.raises(UserError, match=str(path)):
        checkpoint.load(path)


def test_a_damaged_one_is_said_and_counts_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    assert checkpoint.resume(path) is None and caplog.messages == []
    checkpoint.save(path, STATE)
    found = checkpoint.resume(path)
    assert found is not None and found.epoch == 3 and caplog.messages == []
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert checkpoint.resume(path) is None
    (line,) = caplog.messages
    assert line.startswith(f"{path}: damaged") and "trained again from its first epoch" in line


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_flipped_byte_is_trained_on(tmp_path: Path, place: int, mask: int) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, STATE)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= mask
    path.write_bytes(content)
    found = checkpoint.resume(path)
    assert found is None or (
        found[:2] == STATE[:2] and all(torch.equal(found.weights[name], STATE.weights[name]) for name in STATE.weights)
    )
