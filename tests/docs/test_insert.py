"""The output of a command goes between its marks on a page; no output leaves the page as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INSERT = Path(__file__).parents[2] / "docs" / "insert.py"
PAGE = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"


@pytest.mark.parametrize(
    ("printed", "code", "page"),
    [("new\n", 0, PAGE.replace("old", "new")), ("", 1, PAGE), ("\n", 1, PAGE)],
)
def test_only_output_replaces_the_lines_between_marks(tmp_path, printed, code, page):
    (tmp_path / "page.md").write_text(PAGE)
    command = [sys.executable, INSERT, "a", tmp_path / "page.md"]
    done = subprocess.run(command, input=printed, capture_output=True, text=True)
    assert done.returncode == code and (tmp_path / "page.md").read_text() == page
    assert ("a: the command printed nothing" in done.stderr) == bool(code)
