"""Modules and files beside a plugin: found, carried along, watched, and run from any folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces.errors import UserError
from trainables import plugin
from trainables.models import MODELS
from trainables.plugin_files import carried_files

PLUGIN = """
from pathlib import Path

import helper
from nets.layers import depth
from trainables.models import MODELS

WEIGHTS = Path(__file__).parent / "weights" / "net.bin"


def read():
    import late

    return helper.SCALE, depth(), late.VALUE, WEIGHTS.read_bytes()


MODELS["read"] = read
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Restore registries and modules after each test."""
    monkeypatch.setattr(plugin, "_loaded_sources", {})
    monkeypatch.setattr(plugin._HELPERS, "folders", {})
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    modules, models = set(sys.modules), dict(MODELS)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    MODELS.clear()
    MODELS.update(models)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A plugin with two modules, a package and a file of weights."""
    files = {
        "mine.py": PLUGIN,
        "helper.py": "SCALE = 2\n",
        "late.py": "from helper import SCALE\nVALUE = SCALE * 10\n",
        "nets/__init__.py": "",
        "nets/layers.py": "from . import sizes\n\ndef depth():\n    return sizes.DEPTH\n",
        "nets/sizes.py": "DEPTH = 3\n",
        "weights/net.bin": "weights",
        "unused.py": "",
        "notes.txt": "",
    }
    for name, text in files.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "own" / "mine.py"


USED = ["helper.py", "late.py", "nets/__init__.py", "nets/layers.py", "nets/sizes.py", "weights/net.bin"]


def test_the_files_are_found_without_running_the_plugin(mine: Path) -> None:
    assert list(carried_files(mine, mine.read_text())) == USED


def test_a_plugin_runs_in_a_process_that_has_only_the_content(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker on another machine has neither the folder nor the working directory."""
    plugins = plugin.read_plugins([mine])
    shutil.rmtree(mine.parent)
    plugin.register_plugins(plugins)
    assert MODELS["read"]() == (2, 3, 20, b"weights")


@pytest.mark.parametrize("name", USED)
def test_every_file_is_part_of_the_fingerprint(mine: Path, name: str) -> None:
    fingerprints, digests = [], []
    for content in ("A = 1", "A = 2"):
        (mine.parent / name).write_text(content)
        plugins = plugin.read_plugins([mine])
        digests.append(plugin.plugin_digests(plugins)[name])
        plugin._loaded_sources = dict(plugins)
        fingerprints.append(plugin.plugin_fingerprint())
    assert len(set(fingerprints)) == len(set(digests)) == 2


def test_a_changed_helper_is_imported_again(mine: Path) -> None:
    for scale in (2, 5):
        (mine.parent / "helper.py").write_text(f"SCALE = {scale}\n")
        plugin.register_plugins(plugin.read_plugins([mine]))
        assert MODELS["read"]() == (scale, 3, 10 * scale, b"weights")
    (mine.parent / "helper.py").write_text("SCALE = 7\n")
    assert MODELS["read"]()[0] == 5  # edited after it was read: without effect


def test_computed_names_are_listed_in_a_constant(mine: Path) -> None:
    source = 'PLUGIN_FILES = ["weights/*.bin", "notes.*"]\nopen(f"weights/{3}.bin")'
    assert list(carried_files(mine, source)) == ["notes.txt", "weights/net.bin"]
    for wrong in ("PLUGIN_FILES = 'weights'", "PLUGIN_FILES = [name]"):
        with pytest.raises(UserError, match="PLUGIN_FILES: expected a list of file names"):
            carried_files(mine, wrong)


def test_the_standard_library_and_packages_come_first(mine: Path) -> None:
    for name in ("random.py", "numpy.py", "trainables.py"):
        (mine.parent / name).write_text("raise RuntimeError")
    source = "import random, numpy, trainables.models\nimport missing, helper.inner\nfrom . import gone"
    assert list(carried_files(mine, source)) == ["helper.py"]


def test_texts_that_are_no_files(mine: Path) -> None:
    source = f"A = ['', '.', '..', '/etc/hosts', '../own/helper.py', {'x' * 5000!r}, 'a\\0b', 'weights', 'mine.py', 3]"
    assert carried_files(mine, source) == {}
    assert carried_files(mine, "import helper\n = 3") == {}  # a mistake is reported when the plugin is run


def test_an_error_in_a_helper_names_its_line(mine: Path) -> None:
    for text, place in (
        ("\nA = 1 / 0\n", "helper.py:2: ZeroDivisionError"),
        ("\nA = = 1\n", "helper.py:2: SyntaxError"),
    ):
        (mine.parent / "helper.py").write_text(text)
        with pytest.raises(UserError, match=place):
            plugin.register_plugins(plugin.read_plugins([mine]))


def test_two_plugins_with_different_helpers_are_refused(mine: Path, tmp_path: Path) -> None:
    second = tmp_path / "other" / "second.py"
    second.parent.mkdir()
    second.write_text("import helper")
    shutil.copy(mine.parent / "helper.py", second.parent)
    assert [name for name in plugin.read_plugins([mine, second]) if name.endswith(".py")].count("helper.py") == 1
    (second.parent / "helper.py").write_text("SCALE = 9")
    with pytest.raises(UserError, match=r"second\.py: uses helper\.py, and another plugin a different file"):
        plugin.read_plugins([mine, second])


def test_a_very_large_file_is_refused(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.plugin_files.MAX_CARRIED_BYTES", 3)
    with pytest.raises(UserError, match=r"net\.bin: 7 bytes, at most 3 are sent along"):
        carried_files(mine, "open('weights/net.bin')")
