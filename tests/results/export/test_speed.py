"""Sizes are those of the files, times grow with the work, and a teacher that cannot be written costs its line alone."""

from __future__ import annotations

import torch
from torch import nn

from results.export import files, speed
from spaces.recipe import Recipe
from trainables.models import MODELS, build

SHAPE = (1, 8, 8)


def recipe(**teacher: object) -> Recipe:
    return Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [4]}}, "teacher": teacher})


def network(*hidden: int) -> bytes:
    model = build(
        Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [*hidden]}}}).network, SHAPE, 10
    )
    return files.onnx_bytes(model, SHAPE, [])


def test_a_wide_network_is_larger_and_slower_and_64_images_take_longer_than_one():
    small, wide = network(4), network(1000, 1000)
    ours, theirs = speed.measure(small, SHAPE), speed.measure(wide, SHAPE)
    assert (ours.bytes, theirs.bytes) == (len(small), len(wide)) and theirs.bytes > 4e6
    (one, n), (many, _) = theirs.calls
    assert many > one > ours.calls[0][0] > 0
    assert speed.FEWEST <= n <= speed.MOST


def test_a_slow_network_is_called_no_more_often_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    assert [n for _, n in speed.measure(network(4), SHAPE).calls] == [speed.FEWEST] * 2


def test_each_network_behind_a_student_is_measured_once():
    one, other = {"model": {"name": "mlp", "hidden": [8]}}, {"model": {"name": "mlp", "hidden": [16]}}
    assert list(speed.teachers(recipe(**one), SHAPE, 10)) == ["teacher"]
    found = speed.teachers(recipe(ensemble=[one, one, other]), SHAPE, 10)
    assert list(found) == ["teacher 1", "teacher 2"] and found["teacher 1"].bytes < found["teacher 2"].bytes
    assert speed.teachers(recipe().baseline(), SHAPE, 10) == {}


def test_a_teacher_that_cannot_be_written_has_dashes(monkeypatch):
    class Odd(nn.Module):
        """Lists its pixels in Python, which is no graph."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([image.flatten().tolist()[:10] for image in images])

    monkeypatch.setitem(MODELS, "odd", lambda shape, classes: Odd())
    found = speed.teachers(recipe(model={"name": "odd"}), SHAPE, 10)
    assert found == {"teacher": None}
    text = speed.table(found)
    assert "| teacher | – | – | – |" in text and "on one thread of" in text
