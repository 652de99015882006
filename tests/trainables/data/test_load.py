from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import UserError
from trainables.data import DATASETS, Dataset, MissingFilesError, load_dataset
from trainables.knobs import knob_schema


@pytest.mark.parametrize("name", DATASETS)
def test_every_loader_has_the_one_signature(name: str) -> None:
    parameters = list(inspect.signature(DATASETS[name]).parameters.values())
    assert [each.name for each in parameters[:2]] == ["root", "download"]
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters[2:])
    assert list(knob_schema(DATASETS[name]).model_fields) == [each.name for each in parameters[2:]]


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
def test_absent_files_are_missing_and_embedded_sets_never_are(tmp_path: Path, name: str) -> None:
    values: dict[str, Any] = {"idx": {"folder": "x"}, "folder": {"path": "x"}}.get(name, {})
    if name in ("mnist5k", "digits"):
        assert isinstance(load_dataset(name, tmp_path), Dataset)
    else:
        with pytest.raises(MissingFilesError) as caught:
            load_dataset(name, tmp_path, **values)
        assert str(caught.value).startswith(f"{name}: no") or name == "mnist"
        assert str(tmp_path) in str(caught.value) and "--data" in str(caught.value)
    assert not list(tmp_path.iterdir())  # nothing is fetched or written unasked
