"""A space as a dict is written to a file first, so that it can be resumed and its lines be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.space_file import write_space
from spaces.errors import UserError
from spaces.space import load_space

SPACE = {"data": {"name": "digits"}, "method": {"name": "hinton", "alpha": {"choice": [0.1, 0.5]}, "temperature": 4.0}}


def test_the_file_lies_beside_the_folder_and_keeps_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, out, file in [
        ({}, None, "runs/space.space.yaml"),
        ({"name": "mine"}, None, "runs/mine.space.yaml"),
        ({}, "x/there", "x/there.space.yaml"),
        ({"name": "mine"}, tmp_path / "there", "there.space.yaml"),
    ]:
        written = write_space({**SPACE, **name}, out)
        assert written.resolve() == tmp_path / file
        loaded = load_space(written)
        assert loaded.name == name.get("name", file.rpartition("/")[2].removesuffix(".space.yaml"))
        assert loaded.knobs == ["method.alpha"]


def test_a_value_without_a_form_in_yaml_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"space: .*Path.*: expected numbers, texts, lists and dicts"):
        write_space({**SPACE, "data": {"name": "folder", "path": Path("a")}}, tmp_path / "x")
