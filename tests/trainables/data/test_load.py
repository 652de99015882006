from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import UserError
from trainables.data import DATASETS, Dataset, MissingFilesError, load_dataset
from trainables.knobs import knob_schema


@pytest.mark.parametrize("name", DATASETS)
def test_all_loaders_have_the_same_signature(name: str) -> None:
    parameters = list(inspect.signature(DATASETS[name]).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["root", "download"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[2:])
    assert list(knob_schema(DATASETS[name]).model_fields) == [parameter.name for parameter in parameters[2:]]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("minst", {}, "data.name: minst: unknown data set; did you mean mnist?"),
        ("mnist", {"valdation": 3}, "data.valdation: unknown key; did you mean validation?"),
        ("digits", {"validation": 3}, "data.validation: unknown key; known: groups"),
        ("idx", {"validation": 3}, "data.folder: missing"),
    ],
)
def test_a_wrong_name_or_knob_is_refused(tmp_path: Path, name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_dataset(name, tmp_path, **values)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", DATASETS)
def test_missing_files_of_all_but_embedded_data_sets(tmp_path: Path, name: str) -> None:
    values: dict[str, Any] = {"idx": {"folder": "x"}, "folder": {"path": "x"}}.get(name, {})
    if name in ("mnist5k", "digits"):
        assert isinstance(load_dataset(name, tmp_path), Dataset)
    else:
        with pytest.raises(MissingFilesError) as caught:
            load_dataset(name, tmp_path, **values)
        assert str(caught.value).startswith(f"{name}: no")
        assert str(tmp_path) in str(caught.value) and "--data" in str(caught.value)
    assert not list(tmp_path.iterdir())  # nothing is downloaded or written
