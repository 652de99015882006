"""The architecture page names functions, files and rows that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FUNCTIONS = sorted(set(re.findall(r"`((?:search|trainables|results|spaces)(?:\.\w+)*:[\w.]+)`", PAGE)))
FILES = sorted(set(re.findall(r"`((?:search|trainables|results|spaces|docs|tests)/[\w/.]+)`", PAGE + CONTRIBUTING)))


def defined_names(module: str) -> set[str]:
    """Return the functions and classes of a module, and `Class.method`."""
    path = ROOT / (module.replace(".", "/") + ".py")
    path = path if path.is_file() else ROOT / module.replace(".", "/") / "__init__.py"
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_named_function_exists(function: str) -> None:
    module, _, name = function.partition(":")
    assert name in defined_names(module)


@pytest.mark.parametrize("file", [file for file in FILES if "NAME" not in file])
def test_a_named_file_exists(file: str) -> None:
    assert (ROOT / file).exists()


def test_the_walk_is_long_enough_to_be_one() -> None:
    assert len(FUNCTIONS) >= 25 and len(FILES) >= 10


def test_links_from_modules_to_decisions_exist() -> None:
    headings = re.findall(r"^### (.*)$", (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8"), re.MULTILINE)
    sources = [path for name in ("spaces", "trainables", "search", "results") for path in (ROOT / name).rglob("*.py")]
    links = [link for path in sources for link in re.findall(r'Decision: "([^"]+)"', path.read_text(encoding="utf-8"))]
    assert len(links) >= 15 and set(links) <= set(headings)
