"""An export folder appears at once and replaces only an earlier export."""

from __future__ import annotations

import shutil

import pytest

from results.export import atomic_folder, export
from spaces.errors import UserError


def test_an_earlier_export_is_replaced_and_nothing_else(copy, exported):
    shutil.copytree(exported, copy / "export")
    (copy / "export" / "card.md").write_text("old")
    (copy / "export" / "__pycache__").mkdir()  # of read_image.py, once it was imported
    (folder,) = export(copy)
    assert folder == copy / "export"
    assert (folder / "card.md").read_text() != "old"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not replaced.*it contains .*notes\.txt"):
        export(copy)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="it contains"):
        export(copy, copy)
    with pytest.raises(UserError, match="a file; expected a folder"):
        export(copy, copy / "space.yaml")


def test_a_failure_keeps_the_old_folder(tmp_path, monkeypatch):
    target = tmp_path / "best"
    target.mkdir()
    (target / "card.md").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_folder.staged_folder(target) as draft:
        (draft / "card.md").write_text("new")
        _ = 1 / 0
    assert (target / "card.md").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_target_that_cannot_be_written_is_named(tmp_path, read_only):
    (tmp_path / "file").touch()
    blocked, refused = (atomic_folder.staged_folder(tmp_path / name) for name in ("file/x", "y"))
    with pytest.raises(UserError, match=r"file/x: cannot be written \(a file is in the way\)"), blocked:
        pass
    with read_only(tmp_path), pytest.raises(UserError, match=r"y: cannot be written \(Read-only"), refused:
        pass
