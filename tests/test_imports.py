"""Who may import whom: read from the sources, and seen in fresh interpreters."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("spaces", "trainables", "results", "search")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# What a package may import besides the standard library and itself; search may import everything.
ALLOWED = {
    "spaces": {"pydantic", "pydantic_core", "yaml"},
    "trainables": {"spaces", "torch", "numpy", "pydantic", "safetensors", "filelock", "torchvision", "sklearn", "PIL"},
    "results": {"spaces", "rich", "pandas", "numpy", "scipy", "matplotlib", "tensorboard", "yaml"},
    "results.trackers.optuna_journal": {"spaces", "optuna"},
    "results.report": {"spaces", "pandas", "numpy", "scipy", "plotly", "jinja2", "optuna"},
    "results.export": {
        "spaces",
        "trainables",
        "torch",
        "pandas",
        "numpy",
        "onnx",
        "onnxruntime",
        "safetensors",
        "yaml",
    },
}
OPTUNA = ("results.report.importance", "results.trackers.optuna_journal", "results.trackers.optuna_trials")


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names of all modules that a file imports anywhere, in functions too, none by `from .`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield str(node.module)


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def rule(path: Path) -> set[str]:
    """Return the packages that a file may import."""
    name = module(path)
    own = next((each for each in ALLOWED if "." in each and name.startswith(each)), name.partition(".")[0])
    return ALLOWED[own] | {name.partition(".")[0]} | sys.stdlib_module_names


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "search"], ids=module)
def test_only_what_the_design_allows(path: Path) -> None:
    assert {name.partition(".")[0] for name in imported(path)} - rule(path) == set()


@pytest.mark.parametrize(("package", "known"), [("ray", ()), ("optuna", OPTUNA)])
def test_only_search_decides_what_is_next(package: str, known: tuple[str, ...]) -> None:
    """`known` propose nothing: they measure how important each knob was, and write down what was trained."""
    found = {module(path) for path in FILES for name in imported(path) if name.split(".")[0] == package}
    assert found and all(name.startswith("search.") for name in found - set(known))


def test_results_is_read_without_its_exporter() -> None:
    found = {module(path) for path in FILES for name in imported(path) if name.startswith("results.export")}
    assert all(name.startswith(("results.export", "search.")) for name in found)


def fresh(modules: list[str], forbidden: str) -> subprocess.CompletedProcess[str]:
    """Import modules one after another in a fresh interpreter; the first that pulls a forbidden package is printed."""
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
    for pulled in {forbidden.split()}:
        if pulled in sys.modules:
            sys.exit(f"{{name}} pulls {{pulled}}")
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("spaces", "torch ray numpy pandas optuna trainables results search"),
        ("trainables.data", "torch ray sklearn mlxtend pandas optuna results search"),
        ("trainables", "ray pandas optuna matplotlib sklearn mlxtend results search"),
        ("results", "torch ray optuna search trainables"),
        ("search.run", "matplotlib plotly scipy.stats sklearn mlxtend mlflow"),  # for which a check would wait seconds
    ],
)
def test_a_package_pulls_no_more_than_it_needs(package: str, forbidden: str) -> None:
    names = [module(path) for path in FILES if module(path).startswith(package)]
    wanted = [
        name
        for name in names
        if not name.startswith(
            ("results.export", "results.trackers.optuna_journal", "trainables.models.torchvision_import")
        )
    ]
    found = fresh([name for name in wanted if not name.endswith("__main__")], forbidden)
    assert (found.returncode, found.stderr) == (0, "")
