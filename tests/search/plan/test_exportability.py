"""Exportability of plugins' networks in `--check`."""

from __future__ import annotations

import pytest
from torch import nn

from search.plan.estimate import measure_pace
from search.plan.exportability import export_lines
from trainables.models import MODELS


class Branching(nn.Sequential):
    """A network that looks at the values of its images, which cannot be exported."""

    def forward(self, images):
        return super().forward(-images if images.sum().item() > 0 else images)


@pytest.fixture
def register(monkeypatch):
    """Register a network as a plugin would."""

    def registered(name: str, kind: type[nn.Sequential]) -> None:
        def network(shape, classes):
            return kind(nn.Flatten(), nn.Linear(64, classes))

        network.__module__ = "a_plugin"
        monkeypatch.setitem(MODELS, name, network)

    return registered


def test_a_network_that_cannot_be_exported_is_one_line(space, digits, register):
    register("branching", Branching)
    register("plain", nn.Sequential)
    searched = space(
        student={"model": {"choice": [{"name": "branching"}, {"name": "plain"}, {"name": "mlp", "hidden": [4]}]}}
    )
    text = " ".join(" ".join(export_lines(searched, digits)).split())
    assert text.startswith("export branching: this student can be trained, but not exported: ")
    assert text.count("export ") == 1 and "plain" not in text


def test_mapped_images_are_tried_without_a_warning(space, digits, register):
    register("plain", nn.Sequential)
    images = digits.train.images.copy()
    images.flags.writeable = False  # as images of a folder are
    mapped = digits._replace(train=digits.train._replace(images=images))
    searched = space(student={"model": {"name": "plain"}})
    assert list(export_lines(searched, mapped)) == []
    assert measure_pace(searched.fill(searched.cells()[0], 0), mapped).epoch_seconds > 0


def test_own_networks_are_not_tried(space, digits, monkeypatch):
    monkeypatch.setattr("results.export.model_files.onnx_bytes", None)
    assert list(export_lines(space(), digits)) == []
