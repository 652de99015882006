"""Sphinx configuration. `make docs` writes docs/_build/html without a network; warnings are errors."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # for reference.py and tree.py

import reference

project = "distil-search"
release = metadata.version(project)
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_copyright = False
html_show_sourcelink = False
MARK = re.compile(r"<!-- generated: (.+) -->")


def fill(app: Any, page: str, text: list[str]) -> None:
    """Replace the marks of a page with text generated from the sources."""
    text[0] = MARK.sub(lambda mark: reference.generated(mark[1]), text[0])


def plain(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Escape a docstring: it is plain text, and only `code` is markup."""
    text = re.sub(r"([*|_\\])", r"\\\1", "\n".join(lines))
    lines[:] = re.sub(r"`([^`]+)`", lambda code: f"``{code[1].replace(chr(92), '')}``", text).split("\n")


def setup(app: Any) -> None:
    """Register the two functions with Sphinx."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", plain)
