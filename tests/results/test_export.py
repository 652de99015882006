"""A small experiment is trained for real, without Ray, and its best student exported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest
import torch

from results import records, students, tables
from results.export import export, files, staging
from results.export.__main__ import main
from spaces import space
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables import plugin, storage
from trainables.cost import cost
from trainables.data import Dataset
from trainables.evaluate import agreement, predict, score
from trainables.fit import fit
from trainables.lesson import Answers, Lesson
from trainables.models import build

ROOT = Path(__file__).parents[2]
SPACE = """\
name: tiny
data: {{name: digits}}
teacher: {{model: {{name: mlp, hidden: [32]}}, train: {{epochs: 2, batch_size: 64}}}}
student: {{model: {student}}}
method: {{name: hinton, alpha: {{choice: [0.5, 1]}}, temperature: 4}}
train: {{epochs: 2, batch_size: 64, precision: float32}}
seeds: [0, 1]
"""
MLP = "{name: mlp, hidden: [16]}"
PLUGIN = """\
from torch import nn

from trainables.models import MODELS


def narrow(shape, classes, *, width: int = 4):
    channels, height, across = shape
    last = nn.Linear(width * height * across, classes)
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), last)


MODELS["narrow"] = narrow
"""


def train(folder: Path, student: str = MLP, data: Dataset | None = None, plugins: dict[str, str] | None = None) -> Path:
    """An experiment of four students and two baselines, with everything that search.run would leave."""
    data = data or datasets.load("digits")
    records.replace(records.space_file(folder), SPACE.format(student=student))
    searched = space.load(records.space_file(folder))
    records.save_environment(folder, environment(data, plugins or {}))
    taught = searched.fill(searched.cells()[0], 0).taught()
    teacher = last(taught, Lesson(data, None))
    answers = Answers(*(predict(teacher, torch.from_numpy(split.images)).numpy() for split in data[:3]))
    accuracy = score(torch.from_numpy(answers.test), torch.from_numpy(data.test.labels)).accuracy
    scores = {"val_accuracy": 0.9, "test_accuracy": accuracy, **cost(teacher, data.shape)._asdict()}
    records.save_teacher(folder, {"key": "t", "values": {}, "seed": 0, "epochs": 2, "train_seconds": 1.0, **scores})
    for seed in searched.seeds:
        filled = [(values, searched.fill(values, seed)) for values in searched.cells()]
        for values, recipe in [({}, filled[0][1].baseline()), *filled]:
            record(folder, values, recipe, Lesson(data, answers if recipe.teacher else None))
    return folder


def environment(data: Dataset, plugins: dict[str, str]) -> dict:
    about = {"name": data.name, **data.sizes, "classes": list(data.classes), "source": data.source, "split": data.split}
    return {
        **{"command": "python -m search.run tiny.yaml", "started": "2026-01-02T03:04:05", "device": "a processor"},
        **{"cores": 2, "versions": {"torch": torch.__version__}, "data": {**about, "shape": list(data.shape)}},
        **{"loss": "some loss", "precision": "float32", "plugins": plugins, "wall_seconds": 1.0},
    }


def last(recipe: Recipe, lesson: Lesson) -> torch.nn.Module:
    """The network that a recipe trains."""
    epochs = list(fit(recipe, lesson))
    model = build(recipe.student.model, lesson.data.shape, len(lesson.data.classes))
    model.load_state_dict(epochs[-1].state.weights)
    return model


def record(folder: Path, values: dict, recipe: Recipe, lesson: Lesson) -> None:
    """Train one student and write its rows and weights, as search.trial does."""
    key, data = recipe.key(), lesson.data
    model = build(recipe.student.model, data.shape, len(data.classes))
    opening = {"stage": "explore" if recipe.teacher else "baseline", "teacher": "t" if recipe.teacher else None}
    opening |= {"trial": key, "seed": recipe.seed, "teacher_seed": 0, "values": values, "planned_epochs": 2}
    records.append(folder, key, {"kind": "student", **opening, **cost(model, data.shape)._asdict()})
    for epoch in fit(recipe, lesson):
        row = epoch._asdict()
        weights = row.pop("state").weights
        records.append(folder, key, {"kind": "epoch", **row})
    model.load_state_dict(weights)
    logits = predict(model, torch.from_numpy(data.test.images))
    found = score(logits, torch.from_numpy(data.test.labels))
    alike = None if lesson.teacher is None else agreement(logits, torch.from_numpy(lesson.teacher.test))
    storage.write(records.weights_file(folder, key), weights)
    end = {"test_accuracy": found.accuracy, "test_loss": found.loss, "agreement": alike, "reason": None}
    records.append(folder, key, {"kind": "end", "status": "finished", **end})


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Only to be read."""
    return train(tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory) -> Path:
    """Only to be read."""
    (folder,) = export(trained, tmp_path_factory.mktemp("exported") / "best")
    return folder


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def clean() -> Iterator[None]:
    """Nothing of a plugin outlives its test."""
    from trainables.models import MODELS

    yield
    MODELS.pop("narrow", None)
    plugin._loaded.clear()


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which this project is installed."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def best(folder: Path) -> tuple[str, Recipe]:
    (trial,) = tables.best(students.read(folder))
    start = records.rows(folder, trial)[0]
    return trial, space.load(records.space_file(folder)).fill(start["values"], start["seed"])


def reference(folder: Path, images: torch.Tensor) -> torch.Tensor:
    """The logits of the best student as trained."""
    trial, recipe = best(folder)
    model = build(recipe.student.model, tuple(images.shape[1:]), 10)
    model.load_state_dict(storage.read(records.weights_file(folder, trial))[0])
    return predict(model, images)


def test_four_files_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == files.NAMES
    assert [path.name for path in exported.parent.iterdir()] == ["best"]


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_gives_the_logits_of_the_trained_model(trained, exported, batch, tmp_path):
    alone = shutil.copy(exported / "student.onnx", tmp_path)  # no other file is needed
    session = onnxruntime.InferenceSession(alone, providers=["CPUExecutionProvider"])
    images = torch.from_numpy(datasets.load("digits").test.images[:batch])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    assert logits.dtype == numpy.float32
    numpy.testing.assert_allclose(logits, reference(trained, images), rtol=1e-4, atol=1e-4)


def test_onnx_is_valid_and_tells_nothing_of_this_machine(exported):
    proto = onnx.load(exported / "student.onnx", load_external_data=False)
    onnx.checker.check_model(proto, full_check=True)
    (images,) = proto.graph.input
    shape = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, shape) == ("images", ["batch", 1, 8, 8])
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    assert b"/files.py" not in (exported / "student.onnx").read_bytes()


def test_safetensors_give_the_logits_of_the_trained_model(trained, exported):
    images = torch.from_numpy(datasets.load("digits").test.images)
    _, recipe = best(trained)
    model = files.model(exported / "student.safetensors", recipe, (1, 8, 8), 10)
    assert torch.equal(predict(model, images), reference(trained, images))
    assert Recipe.model_validate_json(storage.read(exported / "student.safetensors")[1]["recipe"]) == recipe


def test_the_recipe_is_a_space_of_the_one_student(trained, exported):
    trial, recipe = best(trained)
    alone = space.load(exported / "recipe.yaml")
    assert alone.cells() == [{}] and alone.seeds == [recipe.seed] and alone.teacher_seeds == [0]
    assert alone.fill({}, alone.seeds[0], alone.teacher_seeds[0]).key() == recipe.key() == trial


def test_the_card_has_the_numbers_and_their_protocol(trained, exported):
    text, rows = (exported / "card.md").read_text(), students.read(trained)
    trial, _ = best(trained)
    line = next(line for line in text.splitlines() if line.startswith("| this student"))
    assert f"{100 * rows.set_index('trial').loc[trial]['test_accuracy']:.2f}" in line
    assert re.search(r"\| its configuration, all seeds \| \d\d\.\d\d ± \d+\.\d\d \| \d\d\.\d\d \| 2 \|", text)
    assert re.search(r"\| baseline: the same without a teacher \| \d\d\.\d\d ± \d+\.\d\d \| \d\d\.\d\d \| 2 \|", text)
    assert re.search(r"\| teacher \| \d\d\.\d\d \| 90\.00 \| 1 \|", text)
    for said in ("1,097 / 300 / 400 images", "some loss", "float32", "a processor", "2026-01-02", "Epochs: 2", "1,210"):
        assert said in text
    assert "on 400 test images; test accuracy" in text and "as recorded in training" in text


def test_the_code_on_the_card_runs(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "moved")
    blocks = re.findall(r"```python\n(.*?)```", (folder / "card.md").read_text(), re.S)
    assert len(blocks) == 2
    for block in blocks:
        done = python("-c", block, cwd=folder)
        assert re.search(r"(\d,? ?){7}", done.stdout), done.stderr
    (command,) = re.findall(r"```sh\n(.*?)\n```", (folder / "card.md").read_text(), re.S)
    assert command == "python -m search.run recipe.yaml"


def test_the_best_by_validation_is_exported_each_into_its_folder(trained, tmp_path):
    found = export(trained, tmp_path / "best", top=2)
    assert found == [tmp_path / "best" / "1", tmp_path / "best" / "2"]
    keys = [space.load(folder / "recipe.yaml") for folder in found]
    assert [s.fill({}, s.seeds[0]).key() for s in keys] == tables.best(students.read(trained), 2)


def test_an_earlier_export_is_replaced_and_nothing_else(copy):
    (folder,) = export(copy)
    assert folder == copy / "export"
    (folder / "card.md").write_text("old")
    export(copy)
    assert (folder / "card.md").read_text() != "old"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"not replaced.*notes\.txt is in it"):
        export(copy)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="is in it"):
        export(copy, copy)
    with pytest.raises(UserError, match="a file; expected a folder"):
        export(copy, copy / "space.yaml")


def test_altered_weights_are_refused_and_nothing_is_left(copy):
    trial, _ = best(copy)
    tensors, note = storage.read(records.weights_file(copy, trial))
    storage.write(records.weights_file(copy, trial), {name: 1.5 * value for name, value in tensors.items()}, note)
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(UserError, match=r"test (accuracy|loss) .* was recorded when it was trained"):
        export(copy)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_weights_of_another_model_or_damaged_are_refused(copy):
    trial, _ = best(copy)
    file = records.weights_file(copy, trial)
    storage.write(file, {"logits.bias": torch.zeros(3)})
    with pytest.raises(UserError, match="does not fit the model of its recipe"):
        export(copy)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        export(copy)


@pytest.mark.parametrize("name", ["student.safetensors", "student.onnx"])
def test_a_file_that_gives_other_logits_is_not_exported(copy, monkeypatch, name):
    def spoilt(model, *rest):
        worse = build(best(copy)[1].student.model, (1, 8, 8), 10, seed=99).eval()
        return genuine(worse if name == "student.onnx" else model, *rest)

    genuine, written = files.onnx_bytes, storage.write
    monkeypatch.setattr(files, "onnx_bytes", spoilt)
    if name == "student.safetensors":
        zero = lambda path, tensors, note: written(path, {k: 0 * v for k, v in tensors.items()}, note)  # noqa: E731
        monkeypatch.setattr(storage, "write", zero)
    with pytest.raises(UserError, match=rf"{name}: a logit is .* off the trained model's"):
        export(copy)
    assert not (copy / "export").exists()


def test_a_smoke_test_is_compared_on_its_own_images(tmp_path):
    folder = train(tmp_path / "run", data=datasets.load("digits").take(128, 40, 50))
    known = records.environment(folder)
    records.save_environment(folder, {**known, "command": f"{known['command']} --smoke-test"})
    (exported,) = export(folder)
    text = (exported / "card.md").read_text()
    assert "on 50 test images" in text and "search.run recipe.yaml --smoke-test\n" in text


def absent(folder: Path, shape: list[int] | None) -> None:
    """Make it look as if the experiment stood on MNIST, with images of the size of digits."""
    text = records.space_file(folder).read_text()
    records.space_file(folder).write_text(text.replace("name: digits", "name: mnist"))
    known = records.environment(folder)
    known["data"] = {**known["data"], "name": "mnist", "shape": shape}
    records.save_environment(folder, {**known, "data": {k: v for k, v in known["data"].items() if v is not None}})


def test_without_its_data_logits_are_compared_on_random_images(copy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    absent(copy, [1, 8, 8])
    assert main([str(copy)]) == 0
    assert "random images; accuracy could not be checked: mnist:" in capsys.readouterr().out
    assert "accuracy could not be checked" in (copy / "export" / "card.md").read_text()
    assert main([str(copy), "--data", str(tmp_path)]) == 2
    assert "mnist" in capsys.readouterr().err


def test_without_data_and_shape_there_is_no_export(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    absent(copy, None)
    with pytest.raises(UserError, match="cannot be compared"):
        export(copy)


def test_another_data_set_is_refused(copy):
    known = records.environment(copy)
    known["data"]["test"] = 401
    records.save_environment(copy, known)
    with pytest.raises(UserError, match=r"digits: found 1,097 / 300 / 400 images.*stands on 1,097 / 300 / 401"):
        export(copy)


def test_a_plugin_model_is_exported_with_its_plugin(tmp_path, clean):
    file = tmp_path / "narrow_net.py"
    file.write_text(PLUGIN)
    sources = plugin.read([file])
    plugin.register(sources)
    small = datasets.load("digits").take(128, 40, 50)
    folder = train(tmp_path / "run", "{name: narrow, width: 3}", small, sources)
    with pytest.raises(UserError, match=r"was run with --plugin narrow_net\.py; expected the same"):
        export(folder)
    (exported,) = export(folder, plugins=[file])
    assert (exported / "plugins" / "narrow_net.py").read_text() == PLUGIN
    text = (exported / "card.md").read_text()
    assert "search.run recipe.yaml --plugin plugins/narrow_net.py\n" in text
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        assert python("-c", block, cwd=exported).stderr == ""
    export(folder, plugins=[file])  # one with plugins is replaced, too
    file.write_text(PLUGIN + "\n")
    with pytest.raises(UserError, match="not as the experiment was run"):
        export(folder, plugins=[file])


def test_nothing_ranked_nothing_exported(copy):
    for trial in records.trials(copy):
        if records.rows(copy, trial)[0]["stage"] != "baseline":
            shutil.rmtree(records.trial_folder(copy, trial))
    with pytest.raises(UserError, match="no configuration is ranked"):
        export(copy)


def test_the_command_says_where_and_is_silent_otherwise(copy, tmp_path):
    done = python("-m", "results.export", str(copy), "--to", "best", "--top", "9", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[0] == str(tmp_path / "best" / "1") and lines[1].startswith("  Reloaded from both files")
    assert lines[-1] == "Only 2 of 9: no more configurations are ranked." and len(lines) == 5
    assert main([str(tmp_path / "missing")]) == 2
    with pytest.raises(SystemExit):
        main([str(copy), "--top", "0"])


def test_a_failure_in_the_last_step_keeps_the_old_folder(tmp_path, monkeypatch):
    target = tmp_path / "best"
    target.mkdir()
    (target / "card.md").write_text("old")
    with pytest.raises(ZeroDivisionError), staging.staged(target) as draft:
        (draft / "card.md").write_text("new")
        _ = 1 / 0
    assert (target / "card.md").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["best"]


def test_an_exporting_interpreter_needs_no_ray_and_no_search():
    script = "import sys, results.export\nprint([n for n in ('ray', 'search', 'optuna') if n in sys.modules])"
    assert python("-c", script, cwd=ROOT).stdout.strip() == "[]"
