"""Import rules: allowed packages, directions between folders, no cycles, and the cost of an import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("spaces", "trainables", "results", "search")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# Packages that a package may import besides the standard library and itself; search may import everything.
ALLOWED = {
    "spaces": {"pydantic", "pydantic_core", "yaml"},
    "trainables": {
        "spaces",
        "torch",
        "numpy",
        "pydantic",
        "safetensors",
        "filelock",
        "torchvision",
        "sklearn",
        "PIL",
        "pillow_heif",
        "pyarrow",
    },
    "trainables.models.onnx": {"spaces", "torch", "pydantic", "onnx", "onnxruntime"},
    "results": {"spaces", "rich", "pandas", "numpy", "scipy", "matplotlib", "tensorboard", "yaml"},
    "results.remote": {"spaces", "pyarrow", "fsspec"},
    "results.trackers": {"spaces", "tensorboard", "optuna", "mlflow", "trackio"},
    "results.report": {"spaces", "pandas", "numpy", "scipy", "plotly", "jinja2", "optuna", "sklearn"},
    "results.export": {
        "spaces",
        "trainables",
        "torch",
        "pandas",
        "numpy",
        "onnx",
        "onnxruntime",
        "huggingface_hub",
        "safetensors",
        "yaml",
    },
}
# Modules outside search that use Optuna: trackers write its format, the report uses its importance evaluator.
USES_OPTUNA = ("results.trackers.", "results.report.knob_importance")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in FILES}


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Return the dotted names of all imports of a file, also inside functions.

    `from package import module` gives `package.module` for one of our modules, and `package` for everything else.
    """
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            full_names = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else str(node.module) for name in full_names}
    return frozenset(names)


def allowed_packages(name: str) -> set[str]:
    """Return the packages that a module may import."""
    package = name.partition(".")[0]
    rule = next((rule for rule in ALLOWED if "." in rule and f"{name}.".startswith(f"{rule}.")), package)
    return ALLOWED[rule] | {package} | sys.stdlib_module_names


def module_graph() -> dict[str, set[str]]:
    """Return the imports among our own modules."""
    return {name: (imported_names(path) & MODULES.keys()) - {name} for name, path in MODULES.items()}


def folder(name: str) -> str:
    """Return the folder of a module below its package, "" for the top level."""
    parts = name.split(".")
    return parts[1] if len(parts) > 2 or (len(parts) == 2 and MODULES[name].name == "__init__.py") else ""


def folder_graph(package: str) -> dict[str, set[str]]:
    """Return the imports among the folders of a package."""
    graph: dict[str, set[str]] = {}
    for name, imports in module_graph().items():
        if name.partition(".")[0] == package:
            inside = {folder(imported) for imported in imports if imported.partition(".")[0] == package}
            graph.setdefault(folder(name), set()).update(inside - {folder(name)})
    return graph


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one cycle of a graph, an empty list if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("name", [name for name in MODULES if name.partition(".")[0] != "search"])
def test_a_module_imports_only_allowed_packages(name: str) -> None:
    packages = {imported.partition(".")[0] for imported in imported_names(MODULES[name])}
    assert packages - allowed_packages(name) == set()


@pytest.mark.parametrize(("package", "exceptions"), [("ray", ()), ("optuna", USES_OPTUNA), ("mlflow", USES_OPTUNA[:1])])
def test_only_search_decides_what_is_trained_next(package: str, exceptions: tuple[str, ...]) -> None:
    users = {name for name, path in MODULES.items() if package in {n.partition(".")[0] for n in imported_names(path)}}
    assert all(name.startswith(("search.", *exceptions)) for name in users)


def test_results_are_read_without_the_exporter() -> None:
    users = {name for name, imports in module_graph().items() for imported in imports if folder(imported) == "export"}
    assert all(name.startswith(("results.export", "results.command_line", "search.")) for name in users)


def test_no_cycle_of_modules() -> None:
    assert cycle(module_graph()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_cycle_of_folders(package: str) -> None:
    """Sub-packages import each other in one direction only; the modules beside them are not counted."""
    graph = folder_graph(package)
    assert cycle({name: graph[name] - {""} for name in graph if name}) == []


def test_sub_packages_of_search_import_no_module_above_them() -> None:
    """run, launch, driver and engine import the sub-packages, never the reverse."""
    assert {name: imports for name, imports in folder_graph("search").items() if name and "" in imports} == {}


def test_the_cycle_finder_finds_cycles() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not cycle({"a": {"b", "c"}, "b": {"c"}})


def import_in_fresh_process(modules: list[str], forbidden: str) -> subprocess.CompletedProcess[str]:
    """Import modules in order in a fresh interpreter; exit with the first that loads a forbidden package."""
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
    for loaded in {forbidden.split()}:
        if loaded in sys.modules:
            sys.exit(f"{{name}} loads {{loaded}}")
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
        (
            "search.launch",
            "torch ray numpy pandas optuna rich matplotlib plotly scipy",
        ),  # a mistake would wait seconds for them
        (
            "search.session",
            "matplotlib plotly scipy.stats sklearn mlxtend mlflow",
        ),  # --check would wait seconds for them
    ],
)
def test_a_package_loads_no_more_than_it_needs(package: str, forbidden: str) -> None:
    excluded = ("results.export", "results.trackers.optuna_", "trainables.models.torchvision_import")
    names = [name for name in MODULES if name.startswith(package) and not name.startswith(excluded)]
    process = import_in_fresh_process([name for name in names if not name.endswith("__main__")], forbidden)
    assert (process.returncode, process.stderr) == (0, "")
