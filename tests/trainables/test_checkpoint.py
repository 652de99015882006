from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables import checkpoint
from trainables.fit import TrainingState
from trainables.weights import tensor_file

STATE = TrainingState(
    epoch=3,
    total_seconds=0.1 + 0.2,
    weights={"linear1.weight": torch.arange(6.0).reshape(2, 3), "student.bias": torch.ones(2)},
    optimizer_state={"0.step": torch.tensor(51.0), "0.exp_avg": torch.full((2, 3), 0.5)},
    method_module={"0.1.bias": torch.zeros(3)},
)


def test_save_and_load(tmp_path: Path) -> None:
    checkpoint.save_checkpoint(tmp_path / "state", STATE)
    state = checkpoint.load_checkpoint(tmp_path / "state")
    assert state[:2] == STATE[:2]
    for part, expected in zip(state[2:], STATE[2:], strict=True):
        assert part.keys() == expected.keys()
        assert all(torch.equal(part[name], expected[name]) for name in expected)


def test_the_last_state_is_kept(tmp_path: Path) -> None:
    for epoch in (1, 2):
        checkpoint.save_checkpoint(tmp_path / "state", STATE._replace(epoch=epoch))
    assert checkpoint.load_checkpoint(tmp_path / "state").epoch == 2
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_damaged_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=str(path)):
        checkpoint.load_checkpoint(path)


def test_another_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "state"
    tensor_file.write_tensors(path, {"student.weight": torch.ones(2)})
    with pytest.raises(UserError, match=str(path)):
        checkpoint.load_checkpoint(path)


def test_damaged_content_gives_a_warning_and_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    content = checkpoint.serialize_checkpoint(STATE)
    state = checkpoint.resume_checkpoint(content, path)
    assert state is not None and state.epoch == 3 and caplog.messages == []
    assert checkpoint.resume_checkpoint(content[:-1] + b"x", path) is None
    (line,) = caplog.messages
    assert line.startswith(f"{path}: damaged") and "trained again from its first epoch" in line


@settings(max_examples=150)
@given(index=st.integers(min_value=0), mask=st.integers(1, 255))
def test_flipped_bytes_are_detected(index: int, mask: int) -> None:
    content = bytearray(checkpoint.serialize_checkpoint(STATE))
    content[index % len(content)] ^= mask
    state = checkpoint.resume_checkpoint(bytes(content), Path("state"))
    assert state is None or (
        state[:2] == STATE[:2] and all(torch.equal(state.weights[name], STATE.weights[name]) for name in STATE.weights)
    )
