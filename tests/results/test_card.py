"""What the card of an exported student says of teachers of several kinds."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from results.export.card import Exported, _load, _what, space
from spaces.recipe import Recipe
from trainables import storage
from trainables.models import build

MLP = {"name": "mlp", "hidden": [4]}


def exported(**teacher: object) -> Exported:
    recipe = Recipe.model_validate({"student": {"model": MLP}, "teacher": teacher})
    row = pandas.Series({"trial": "t", "seed": 0, "stage": "explore", "parameters": 1, "macs": 1})
    return Exported(1, recipe, row, (1, 8, 8), list("0123456789"), [], [], "")


def test_a_student_with_the_subclasses_of_its_teacher_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    student = exported(model={**MLP, "subclasses": 2})
    (tmp_path / "recipe.yaml").write_text(space(student.recipe, "x"))
    model = build(student.recipe.network, (1, 8, 8), 10)
    storage.write(tmp_path / "student.safetensors", dict(model.state_dict()))
    monkeypatch.chdir(tmp_path)
    exec(_load(student).removeprefix("```python").removesuffix("```"), {})
    assert capsys.readouterr().out.startswith("tensor([")


def test_all_members_of_an_ensemble_are_named() -> None:
    experiment: object = None  # not read here
    found = _what(experiment, exported(ensemble=[{"model": MLP}, {"model": {"name": "cnn", "subclasses": 2}}]))  # type: ignore[arg-type]
    assert "distilled from mlp (hidden [4]) and cnn (subclasses 2) by" in found
