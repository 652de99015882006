"""Plain language, measured: words, docstrings and names of the whole repository."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("spaces", "trainables", "search", "results")
TEXT = {".py", ".md", ".yaml", ".html", ".js", ".css", ".toml", ".sh"}
FORBIDDEN = re.compile(
    r"\b(told|taught|nobody|anybody|somebody|everybody|anew|whoever|whom|lest|mend(s|ed|ing)?|spoilt"
    r"|pupils?|voices?|lessons?|lectures?|referees?|lifeline|outlive[sd]?|rehearsals?|knocks?)\b",
    re.IGNORECASE,
)
RELATIVE = re.compile(r"\b(who|whom|whose|which|what|whether|whoever|where)\b|\b\w+ that\b", re.IGNORECASE)
OPENING = re.compile(r"(What|Whether|Who|How)\b")
VAGUE = {"each", "found", "given", "known", "told"}  # variables named by these say nothing of their content
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")  # boundaries inside an identifier

MEDIAN_WORDS = 11
RELATIVE_SHARE = 0.15
SHARED_NAMES_SHARE = 0.15


class Docstring(NamedTuple):
    """The first paragraph of a docstring and its place."""

    place: str
    text: str


def tracked_files() -> Iterator[Path]:
    """Yield the text files of the repository, without this one."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in TEXT and path.is_file() and path != Path(__file__):
            yield path


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def docstrings() -> Iterator[Docstring]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                text = ast.get_docstring(node)
                if text:
                    yield Docstring(place(path, getattr(node, "lineno", 1)), text.split("\n\n")[0])


def test_no_forbidden_word() -> None:
    faults = [
        f"{place(path, number)}: {match[0]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in FORBIDDEN.finditer(WORD.sub(" ", line))
    ]
    assert faults == []


def test_docstrings_are_short_and_direct() -> None:
    paragraphs = list(docstrings())
    assert len(paragraphs) > 500
    assert [f"{item.place}: {item.text}" for item in paragraphs if OPENING.match(item.text)] == []
    words = statistics.median(len(item.text.split()) for item in paragraphs)
    relative = [f"{item.place}: {item.text}" for item in paragraphs if RELATIVE.search(item.text)]
    assert words <= MEDIAN_WORDS
    assert len(relative) / len(paragraphs) <= RELATIVE_SHARE, "\n".join(relative)


def test_top_level_names_stand_in_one_module() -> None:
    modules = defaultdict(list)
    for path in sources():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                modules[node.name.strip("_")].append(place(path, node.lineno))
    shared = {name: places for name, places in modules.items() if len({item.split(":")[0] for item in places}) > 1}
    total = sum(len(places) for places in modules.values())
    assert sum(len(places) for places in shared.values()) / total <= SHARED_NAMES_SHARE, shared


def test_variables_name_their_content() -> None:
    faults = [
        f"{place(path, node.lineno)}: {name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in [getattr(node, "id" if isinstance(node, ast.Name) else "arg", None)]
        if name in VAGUE
    ]
    assert faults == []
