"""Size and speed of ONNX files, and teachers without ONNX export."""

from __future__ import annotations

import torch
from torch import nn

from results.export import model_files, onnx_speed
from spaces.recipe import Recipe
from trainables.models import MODELS, build_network

SHAPE = (1, 8, 8)


def recipe(**teacher: object) -> Recipe:
    return Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [4]}}, "teacher": teacher})


def network(*hidden: int) -> bytes:
    model = build_network(
        Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [*hidden]}}}).network, SHAPE, 10
    )
    return model_files.onnx_bytes(model, SHAPE, [])


def test_wide_networks_and_large_batches_take_longer():
    small, wide = network(4), network(1000, 1000)
    small_speed, wide_speed = onnx_speed.measure_speed(small, SHAPE), onnx_speed.measure_speed(wide, SHAPE)
    assert (small_speed.bytes, wide_speed.bytes) == (len(small), len(wide)) and wide_speed.bytes > 4e6
    (single, n), (many, _) = wide_speed.calls
    assert many > single > small_speed.calls[0][0] > 0
    assert onnx_speed.FEWEST_CALLS <= n <= onnx_speed.MOST_CALLS


def test_the_number_of_calls_is_limited_by_time(monkeypatch):
    monkeypatch.setattr(onnx_speed, "MOST_SECONDS", 0.0)
    assert [n for _, n in onnx_speed.measure_speed(network(4), SHAPE).calls] == [onnx_speed.FEWEST_CALLS] * 2


def test_each_teacher_network_is_measured_once():
    first, second = {"model": {"name": "mlp", "hidden": [8]}}, {"model": {"name": "mlp", "hidden": [16]}}
    assert list(onnx_speed.teacher_speeds(recipe(**first), SHAPE, 10)) == ["teacher"]
    speeds = onnx_speed.teacher_speeds(recipe(ensemble=[first, first, second]), SHAPE, 10)
    assert list(speeds) == ["teacher 1", "teacher 2"] and speeds["teacher 1"].bytes < speeds["teacher 2"].bytes
    assert onnx_speed.teacher_speeds(recipe().baseline(), SHAPE, 10) == {}


def test_a_teacher_without_onnx_export_has_dashes(monkeypatch):
    class Odd(nn.Module):
        """Python code without a graph."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([image.flatten().tolist()[:10] for image in images])

    monkeypatch.setitem(MODELS, "odd", lambda shape, classes: Odd())
    speeds = onnx_speed.teacher_speeds(recipe(model={"name": "odd"}), SHAPE, 10)
    assert speeds == {"teacher": None}
    text = onnx_speed.speed_table(speeds)
    assert "| teacher | – | – | – |" in text and "on one thread of" in text


def test_recorded_logits_have_no_speed(tmp_path):
    (tmp_path / "logits.csv").touch()
    assert onnx_speed.teacher_speeds(recipe(logits=str(tmp_path / "logits.csv")), SHAPE, 10) == {"teacher": None}
