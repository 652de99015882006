"""An export appears whole or not at all, and replaces nothing but an export."""

from __future__ import annotations

import pytest

from results.export import export, staging
from spaces.errors import UserError


def test_an_earlier_export_is_replaced_and_nothing_else(copy):
    (folder,) = export(copy)
    assert folder == copy / "export"
    (folder / "card.md").write_text("old")
    export(copy)
    assert (folder / "card.md").read_text() != "old"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not replaced.*notes\.txt is in it"):
        export(copy)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="is in it"):
        export(copy, copy)
    with pytest.raises(UserError, match="a file; expected a folder"):
        export(copy, copy / "space.yaml")


def test_a_failure_in_the_last_step_keeps_the_old_folder(tmp_path, monkeypatch):
    target = tmp_path / "best"
    target.mkdir()
    (target / "card.md").write_text("old")
    with pytest.raises(ZeroDivisionError), staging.staged(target) as draft:
        (draft / "card.md").write_text("new")
        _ = 1 / 0
    assert (target / "card.md").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["best"]
