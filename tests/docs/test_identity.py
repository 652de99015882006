"""Each entry of docs/explanation/identity.md is changed by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/identity.md"
RUN = "tests/search/run/test_changed_inputs.py::"
# Tests that change an entry and see the refusal, by the first words of the entry in the page's table.
TESTS = {
    "every key of the space": ["tests/search/test_folder.py::test_other_changes_are_refused_and_named"],
    "images and labels": [
        f"{RUN}test_images_added_moved_or_repainted",
        "tests/trainables/data/test_data_identity.py::test_moved_images_and_changed_pixels",
    ],
    "class names": [
        f"{RUN}test_a_class_renamed_or_removed",
        "tests/results/export/test_verification_images.py::test_class_names_are_those_of_training",
    ],
    "plugins": [
        f"{RUN}test_a_changed_module_or_network_beside_a_plugin",
        "tests/search/test_folder.py::test_other_plugins_are_refused_and_named",
    ],
    "files that the space names": [
        f"{RUN}test_every_file_that_the_space_names",
        f"{RUN}test_a_changed_weights_file",
        "tests/trainables/test_named_files.py::test_a_changed_file_gives_another_teacher",
    ],
    "images of the confirmed students": ["tests/spaces/test_extend.py::test_changes"],
    "published weights": [
        f"{RUN}test_weights_published_later",
        "tests/trainables/weights/test_published.py::test_altered_weights_are_refused",
    ],
    "version of the training code": [
        f"{RUN}test_another_version_of_the_training_code",
        "tests/trainables/teachers/test_key.py::test_training_version",
    ],
    "versions of networks and methods in use": [f"{RUN}test_another_version_of_a_method_in_use"],
    "`precision: auto`": ["tests/search/run/test_refused.py::test_an_experiment_keeps_its_first_precision"],
    "versions of Python": [
        "tests/search/test_environment.py::test_another_machine_or_version_adds_a_run",
        "tests/results/compare/test_protocol_differences.py::test_another_protocol_is_refused_by_name",
    ],
}


def page_entries() -> list[str]:
    """Return the first column of the page's table."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]]


def test_every_entry_of_the_page_has_its_tests() -> None:
    entries = page_entries()
    assert len(entries) == len(TESTS)
    for entry, start in zip(entries, TESTS, strict=True):
        assert entry.startswith(start)


@pytest.mark.parametrize("name", [name for names in TESTS.values() for name in names])
def test_the_tests_exist(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
