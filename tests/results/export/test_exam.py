"""Exported students are compared on the images that the experiment saw, or on what takes their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from results import records
from results.export import export
from results.export.__main__ import main
from spaces.errors import UserError
from trainables import data as datasets


def absent(folder: Path, shape: list[int] | None) -> None:
    """Make it look as if the experiment stood on MNIST, with images of the size of digits."""
    text = records.space_file(folder).read_text()
    records.space_file(folder).write_text(text.replace("name: digits", "name: mnist"))
    known = records.environment(folder)
    known["data"] = {**known["data"], "name": "mnist", "shape": shape}
    records.save_environment(folder, {**known, "data": {k: v for k, v in known["data"].items() if v is not None}})


def test_a_smoke_test_is_compared_on_its_own_images(tmp_path, train):
    folder = train(tmp_path / "run", data=datasets.load("digits").take(128, 40, 50))
    known = records.environment(folder)
    records.save_environment(folder, {**known, "command": f"{known['command']} --smoke-test"})
    (exported,) = export(folder)
    text = (exported / "card.md").read_text()
    assert "on 50 test images" in text and "search.run recipe.yaml --smoke-test\n" in text


def test_without_its_data_logits_are_compared_on_random_images(copy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    absent(copy, [1, 8, 8])
    assert main([str(copy)]) == 0
    assert "random images; accuracy could not be checked: mnist:" in capsys.readouterr().out
    assert "accuracy could not be checked" in (copy / "export" / "card.md").read_text()
    assert main([str(copy), "--data", str(tmp_path)]) == 2
    assert "mnist" in capsys.readouterr().err


def test_without_data_and_shape_there_is_no_export(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    absent(copy, None)
    with pytest.raises(UserError, match="cannot be compared"):
        export(copy)


def test_another_data_set_is_refused(copy):
    known = records.environment(copy)
    known["data"]["test"] = 401
    records.save_environment(copy, known)
    with pytest.raises(UserError, match=r"digits: found 1,097 / 300 / 400 images.*stands on 1,097 / 300 / 401"):
        export(copy)
