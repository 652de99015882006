"""Catalogue entries: docstrings, declarations and layers of what is registered."""

from __future__ import annotations

import pytest

from search.schema.describe import observable_layers, registry_entries
from spaces.catalogue.entries import CatalogueEntry

Entries = dict[tuple[str, str], CatalogueEntry]


@pytest.fixture(scope="module")
def entries() -> Entries:
    """Entries by kind and name. Networks are built for them, so not while the tests are collected."""
    return {(entry.kind, entry.name): entry for entry in registry_entries()}


def test_a_method_is_described_by_its_docstring_and_its_declaration(entries: Entries) -> None:
    hinton = entries["method", "hinton"]
    assert hinton.summary == "Knowledge distillation with softened outputs"
    assert hinton.paper == "Hinton, Vinyals & Dean (2015), section 2"
    assert hinton.formula.startswith("alpha · T²")
    assert "Args:" not in hinton.details and "Temperature" not in hinton.details


def test_equal_names_of_two_kinds_are_two_entries(entries: Entries) -> None:
    assert entries["scheduler", "none"].summary != entries["method", "none"].summary


def test_every_published_method_and_network_has_a_paper(entries: Entries) -> None:
    # from student projects, from the assignment, or of no source
    unpublished = {
        "none",
        "hint",
        "routed",
        "cnn",
        "mlp",
        "cnn3",
        "timm",
        "transformers",
        "torchscript",
        "onnx",
        "recorded",
        "ensemble",
    }
    missing = {name for (kind, name), entry in entries.items() if kind in ("method", "model") and not entry.paper}
    assert missing == unpublished


def test_layers_are_those_of_a_network_with_example_knobs() -> None:
    assert observable_layers("cnn") == ("relu1", "pool1", "relu2", "pool2", "relu3")
    assert observable_layers("mlp") == ("relu1", "relu2")
