"""Parser of Google-style docstrings."""

from __future__ import annotations

import pytest

from trainables.docstrings import argument_descriptions, first_sentence, paragraphs
from trainables.knobs import Rate, knob_schema


def noisy(*, level: Rate = 0.1, seed: int) -> None:
    """Add noise. Gaussian, that is.

    The noise is drawn
    per pixel.

    Args:
        level: Standard deviation,
            relative to white.
        seed: Seed: an integer.

    Raises:
        ValueError: Never.
    """


def undocumented(*, level: float) -> None: ...


def only_arguments(*, level: float) -> None:
    """
    Args:
        level: In decibels
    """


@pytest.mark.parametrize(
    ("function", "sentence", "texts", "arguments"),
    [
        (
            noisy,
            "Add noise",
            ["Add noise. Gaussian, that is.", "The noise is drawn per pixel."],
            {"level": "Standard deviation, relative to white", "seed": "Seed: an integer"},
        ),
        (undocumented, "", [], {}),
        (only_arguments, "", [], {"level": "In decibels"}),
    ],
)
def test_the_parts_of_a_docstring(function: object, sentence: str, texts: list[str], arguments: dict[str, str]) -> None:
    assert first_sentence(function) == sentence
    assert paragraphs(function) == texts
    assert argument_descriptions(function) == arguments  # type: ignore[arg-type]


def test_the_schema_of_knobs_has_the_descriptions() -> None:
    properties = knob_schema(noisy).model_json_schema()["properties"]
    assert {name: schema["description"] for name, schema in properties.items()} == argument_descriptions(noisy)
    assert "description" not in knob_schema(undocumented).model_json_schema()["properties"]["level"]
