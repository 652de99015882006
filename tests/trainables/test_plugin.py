"""A user's own models, data sets and methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin, validate
from trainables.data import DATASETS, Dataset, load_dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult
from trainables.methods import METHODS, method_formula
from trainables.models import MODELS

LINEAR = '''
from __future__ import annotations
from torch import nn
from trainables.knobs import Rate
from trainables.models import MODELS

def linear(shape: tuple[int, int, int], classes: int, *, dropout: Rate = 0.0) -> nn.Module:
    """One layer."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(shape[0] * shape[1] * shape[2], classes))

MODELS["linear"] = linear
'''
SQUARES = '''
from torch import Tensor
from trainables.declare import declare
from trainables.knobs import Fraction
from trainables.methods import METHODS, none
from trainables.output import Output

@declare(formula="alpha · mean (student − teacher)² + (1 − alpha) · CE(student, labels)")
def squares(student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction) -> Tensor:
    """Match the logits."""
    apart = (student.logits - teacher.logits.detach()).square().mean(-1)
    return alpha * apart + (1 - alpha) * none(student, None, labels)

METHODS["squares"] = squares
'''
UPSIDE_DOWN = """
from trainables.data import DATASETS, load_dataset

def upside_down(root, download):
    data = load_dataset("digits")
    turn = lambda split: split._replace(images=split.images[:, :, ::-1].copy())
    return data._replace(train=turn(data.train), val=turn(data.val), test=turn(data.test), name="upside_down")

DATASETS["upside_down"] = upside_down
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Restore the registries after each test."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plugin, "_loaded_sources", {})
    registries: list[dict[str, Any]] = [METHODS, MODELS, DATASETS]
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def test_a_model(
    recipe: Callable[..., Recipe], run: Callable[..., list[EpochResult]], labels: DistillationData
) -> None:
    plugin.register_plugins({"linear.py": LINEAR})
    own = recipe({"name": "linear", "dropout": 0.1})
    assert list(validate.recipe_problems(own)) == []
    assert run(own, labels)[-1].val_accuracy > 0.8
    ((path, message),) = validate.recipe_problems(recipe({"name": "linear", "dropuot": 0.1}))
    assert path == "student.model.dropuot" and "did you mean dropout?" in message


def test_a_method(
    recipe: Callable[..., Recipe], run: Callable[..., list[EpochResult]], distillation_data: DistillationData
) -> None:
    plugin.register_plugins({"squares.py": SQUARES})
    own = recipe(None, {"name": "squares", "alpha": 0.5}, teacher={})
    assert list(validate.recipe_problems(own)) == []
    assert method_formula("squares") == "alpha · mean (student − teacher)² + (1 − alpha) · CE(student, labels)"
    first, *_, last = run(own, distillation_data)
    assert last.train_loss < first.train_loss


def test_a_data_set(digits: Dataset) -> None:
    plugin.register_plugins({"upside_down.py": UPSIDE_DOWN})
    data = load_dataset("upside_down")
    assert (data.test.images[:, :, ::-1] == digits.test.images).all()
    assert data.fingerprint() != digits.fingerprint()


def test_each_source_runs_once(capsys: pytest.CaptureFixture[str]) -> None:
    for source in ("print('one')", "print('one')", "print('two')", "print('two')"):
        plugin.register_plugins({"mine.py": source})
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a = 1\nb = a / 0\n", "mine.py:2: ZeroDivisionError: division by zero"),
        ("def f():\n    g()\n\n\nf()\n", "mine.py:2: NameError"),
        ("a = 1\nb = = 2\n", "mine.py:2: SyntaxError"),
        ("import no_such_module\n", "mine.py:1: ModuleNotFoundError"),
        ("import json\n\njson.loads('{')\n", "mine.py:3: JSONDecodeError"),
        ("a = '\0'\n", "mine.py"),
    ],
)
def test_errors_have_file_and_line(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plugin.register_plugins({"mine.py": source})
    assert plugin.plugin_fingerprint() == ""


def test_the_fingerprint_follows_names_and_sources() -> None:
    fingerprints = [plugin.plugin_fingerprint()]
    for name, source in [("a.py", "A = 1"), ("b.py", "A = 1"), ("b.py", "A = 2")]:
        plugin.register_plugins({name: source})
        fingerprints.append(plugin.plugin_fingerprint())
    assert fingerprints[0] == "" and len(set(fingerprints)) == 4


def test_the_order_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints = set()
    for names in ("ab", "ba"):
        monkeypatch.setattr(plugin, "_loaded_sources", {})
        plugin.register_plugins({f"{name}.py": "A = 1" for name in names})
        fingerprints.add(plugin.plugin_fingerprint())
    assert len(fingerprints) == 1


def test_a_plugin_replaces_no_module() -> None:
    # A plugin may have the name of a package.
    import json
    import random

    plugin.register_plugins({"random.py": "A = 1", "json.py": "A = 1"})
    assert sys.modules["random"] is random and sys.modules["json"] is json


def test_a_plugin_has_no_inherited_future_imports() -> None:
    # Not with the future imports of trainables/plugin.py.
    plugin.register_plugins({"mine.py": "def f(x: int): pass\nassert f.__annotations__ == {'x': int}"})


def test_classes_in_a_plugin_can_be_pickled() -> None:
    source = "import pickle\nclass Own:\n    a: int = 3\nassert pickle.loads(pickle.dumps(Own())).a == 3"
    plugin.register_plugins({"mine.py": source})


# Plugin files.


def test_sources_by_file_name(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"# {name}: é")
    assert plugin.read_plugins([tmp_path / "a.py", tmp_path / "b.py"]) == {"a.py": "# a.py: é", "b.py": "# b.py: é"}
    assert plugin.read_plugins([]) == {}


def test_a_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(UserError, match=f"--plugin {path}: no such file"):
            plugin.read_plugins([path])


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=str(tmp_path / "mine.py")):
        plugin.read_plugins([tmp_path / "mine.py"])


def test_two_files_with_one_name(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "mine.py" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("A = 1")
    with pytest.raises(UserError, match=r"mine\.py"):
        plugin.read_plugins(paths)
