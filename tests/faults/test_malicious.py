"""Malicious files: no code in them runs, no path leaves its folder, no text becomes markup."""

from __future__ import annotations

import ast
import json
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from results import paths, records, students
from results.rebuild import rebuild_results
from results.trackers.optuna_journal import JournalTracker
from search.repair import repair_folder
from search.students.spec import students_for_seeds
from spaces.errors import UserError
from spaces.space import load_space
from trainables import checkpoint
from trainables.data import idx
from trainables.data.array_file import is_intact, map_array
from trainables.teachers import cache
from trainables.weights import tensor_file, weights_file

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for part in ("spaces", "trainables", "results", "search") for path in (ROOT / part).rglob("*.py"))

# Modules that may turn bytes into code, and the only files that do so. SECURITY.md gives the reasons.
DANGEROUS = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "runpy", "code"}
ALLOWED = {
    "trainables/weights/weights_file.py": "the name of an exception",
    "trainables/teachers/recorded_file.py": "the name of an exception",
    "trainables/data/verified_pickle.py": "published archives, after their checksum, by an unpickler of arrays only",
    "trainables/plugin.py": "files that the user names on the command line",
}


def calls(path: Path) -> Iterator[str]:
    """Yield the dangerous modules and calls in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (name for name in names if name.partition(".")[0] in DANGEROUS)
        elif isinstance(node, ast.Call):
            called, keywords = (
                ast.unparse(node.func),
                {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords},
            )
            if called in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "os.system", "pandas.read_pickle"):
                yield called
            if called == "torch.load" and keywords.get("weights_only") != "True":
                yield called
            if keywords.get("allow_pickle", "False") != "False" or keywords.get("shell", "False") != "False":
                yield called


def test_only_listed_files_turn_bytes_into_code() -> None:
    calls_by_file = {str(path.relative_to(ROOT)): set(calls(path)) for path in SOURCES}
    assert {name for name, found_calls in calls_by_file.items() if found_calls} <= ALLOWED.keys(), calls_by_file


class Trap:
    """An object that touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled(touched: Path) -> bytes:
    return pickle.dumps({"weight": torch.ones(2), "record": Trap(touched)})


def saved(touched: Path) -> bytes:
    path = touched.with_name("saved")
    torch.save({"weight": torch.ones(2), "trap": Trap(touched)}, path)
    return path.read_bytes()


def cached_teacher(path: Path) -> None:
    for name in (cache.WEIGHTS, *cache.LOGITS.values()):
        (path.parent / name).write_bytes(path.read_bytes())
    assert cache.read_teacher(path.parent) is None
    raise UserError("nothing was read")


def cached_array(path: Path) -> None:
    with pytest.raises(ValueError, match="magic string"):
        map_array(path)  # even without its checksum
    assert not is_intact(path)
    raise UserError("nothing was read")


def rows(path: Path) -> None:
    file = paths.rows_file(path.parent, "a")
    file.parent.mkdir(parents=True)
    file.write_bytes(path.read_bytes())
    assert records.read_rows(path.parent, "a") == [] and list(students.histories(path.parent)) == []
    repair_folder(path.parent)
    raise UserError("nothing was read")


def environment(path: Path) -> None:
    paths.environment_file(path.parent).write_bytes(path.read_bytes())
    records.read_environment(path.parent)


def a_journal(path: Path) -> None:
    space = path.with_name("space.yaml")
    space.write_text("data: {name: digits}\nstudent: {model: {name: mlp}}\nmethod: {name: none}\n")
    paths.journal_file(path.parent).write_bytes(path.read_bytes())
    JournalTracker(path.parent, load_space(space)).update_all([])
    raise UserError("a new journal was written")


LOADERS: dict[str, Callable[[Path], Any]] = {
    "tensors": tensor_file.read_tensors,
    "weights of a user": weights_file.read_weights,
    "a checkpoint": checkpoint.load_checkpoint,
    "a cached teacher": cached_teacher,
    "a cached array": cached_array,
    "rows": rows,
    "the environment": environment,
    "a space": load_space,
    "idx images": lambda path: idx.read_idx(path, 3),
    "the journal of Optuna": a_journal,
}


@pytest.mark.parametrize("harm", [pickled, saved])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_loader_refuses_a_pickle_and_runs_nothing(tmp_path: Path, loader: str, harm: Callable[[Path], bytes]) -> None:
    touched = tmp_path / "touched"
    path = tmp_path / "folder" / "x.safetensors"
    path.parent.mkdir()
    path.write_bytes(harm(touched))
    with pytest.raises(UserError):
        LOADERS[loader](path)
    assert not touched.exists()


def test_the_traps_work(tmp_path: Path) -> None:
    for number, harm in enumerate((pickled, saved)):
        touched = tmp_path / str(number)
        content = harm(touched)
        if harm is pickled:
            pickle.loads(content)
        else:
            torch.load(tmp_path / "saved", weights_only=False)
        assert touched.exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {touched}']",
        "a: !!python/object/new:pathlib.Path ['{touched}']",
        "name: !!python/name:os.system",
        "teacher: {{weights: !!python/object/apply:pathlib.Path.touch ['{touched}']}}",
        "a: !import os",
    ],
)
def test_a_tag_in_a_space_runs_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text.format(touched=tmp_path / "touched"))
    with pytest.raises(UserError, match=r"x\.yaml:1"):
        load_space(path)
    assert not (tmp_path / "touched").exists()


# Paths.


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "..", ".", ".hidden", "a\\b", "a\nb", "a\0b"])
def test_the_name_of_a_space_stays_one_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.yaml"
    content = {
        "name": name,
        "data": {"name": "digits"},
        "student": {"model": {"name": "mlp"}},
        "method": {"name": "none"},
    }
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="name"):
        load_space(path)


@pytest.mark.parametrize("trial", ["../../elsewhere", "/tmp/x", "other", "..", ""])
def test_a_row_cannot_name_another_folder(tmp_path: Path, trial: str) -> None:
    row = {"kind": "student", "trial": trial, "stage": "explore", "seed": 0, "values": {}}
    records.append_row(tmp_path, "mine", row)
    assert records.read_rows(tmp_path, "mine") == [] and records.damaged_lines(tmp_path, "mine") == [1]


def test_a_linked_student_folder_is_not_cleaned(tmp_path: Path) -> None:
    """Nothing outside of the experiment's folder is removed or written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / ".x.elsewhere.4194999.ab12cd34.part"
    victim.touch()
    (tmp_path / "run" / "trials").mkdir(parents=True)
    (tmp_path / "run" / "trials" / "link").symlink_to(outside)
    assert repair_folder(tmp_path / "run") == [] and [path.name for path in outside.iterdir()] == [victim.name]


# Names that are shown.

EVIL = "<script>alert(1)</script>|`x`|[red]</td>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def named(space, trained, folder) -> Path:
    """Experiment with an attack in every text field."""
    tiny = space(name="x<script>alert(1)<|script>", table={"rows": "method.alpha", "columns": "method.temperature"})
    for number, spec in enumerate(students_for_seeds(tiny, tiny.cells(), "explore", [0, 1])):
        status = "failed" if number == 1 else "finished"
        trained(spec, [0.3, 0.6, 0.8], status, **({"reason": EVIL} if number == 1 else {"test_accuracy": 0.75}))
    records.write_file(paths.space_file(folder), tiny.dump())
    data = {"name": EVIL, "train": 10, "val": 10, "test": 10, "classes": [EVIL, "1"], "source": EVIL, "split": EVIL}
    environment = {
        "command": EVIL,
        "started": "2026-01-02T03:04:05+00:00",
        "device": EVIL,
        "cores": 1,
        "versions": {EVIL: EVIL},
    }
    environment |= {"data": {**data, "shape": [1, 8, 8]}, "loss": EVIL, "precision": EVIL, "plugins": {"x.py": EVIL}}
    records.save_environment(folder, {**environment, "wall_seconds": 1.0})
    return folder


def test_names_are_plain_text_in_all_results(named: Path) -> None:
    """One test, because the results take seconds: the report, the tables, and the names of the files."""
    rebuild_results(named)
    page = paths.report_file(named).read_text()
    assert "alert(1)" in page  # shown as text
    assert not re.search(r"<script>\s*alert\(1\)|<img src=x", page)
    for path in named.glob("*.md"):
        text = path.read_text()
        assert not re.search(r"(?<!\\)<script>|(?<!\\)<img ", text), path
        tables = [line for line in text.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
        assert len(widths) <= 2, path  # the leaderboard, and the students that were left out
    resolved = [path.resolve() for path in named.rglob("*")]
    assert all(path.is_relative_to(named.resolve()) for path in resolved)
    names = [path.name for path in named.rglob("*")]  # TensorBoard's are `alpha 0.3, seed 0`
    assert all(re.fullmatch(r"[\w .,=+\[\]()-]+", name) for name in names), "a name went into a file name"
