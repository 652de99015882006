"""Every key of the models of a space has a description."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from spaces.parts import NamedPart, StrictModel
from spaces.recipe import Recipe
from spaces.sections import Sections, TeacherSeeds

ABSTRACT = {StrictModel, NamedPart}


def _subclasses(model: type[BaseModel]) -> set[type[BaseModel]]:
    return {model, *(inner for child in model.__subclasses__() for inner in _subclasses(child))}


MODELS = sorted(
    (model for model in _subclasses(StrictModel) - ABSTRACT if model.__module__.startswith("spaces.")),
    key=lambda model: model.__name__,
)


def test_models() -> None:
    assert {Recipe, Sections, TeacherSeeds} <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert field.description[0].isupper() and not field.description.endswith("."), field.description
        assert len(field.description.split()) <= 20, field.description
