"""Content of the card and the recipe of an exported student; the code of the card runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas
import pytest
import torch
from huggingface_hub import ModelCard

from results import students
from results.export import export
from results.export.chosen_students import ChosenStudent
from results.export.model_card import CardData, _description, _input_and_output, _loading_code, recipe_space
from results.export.model_files import input_normalization
from spaces import space
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.models import build_network
from trainables.weights import tensor_file

MLP = {"name": "mlp", "hidden": [4]}


def exported_card(**teacher: object) -> CardData:
    recipe = Recipe.model_validate({"student": {"model": MLP}, "teacher": teacher})
    row = pandas.Series({"trial": "t", "seed": 0, "stage": "explore", "parameters": 1, "macs": 1})
    return CardData(
        ChosenStudent("t", "the best"), recipe, row, (1, 8, 8), torch.uint8, list("0123456789"), [], [], [], {}
    )


def test_the_code_loads_a_student_with_subclasses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    student = exported_card(model={**MLP, "subclasses": 2})
    (tmp_path / "recipe.yaml").write_text(recipe_space(student.recipe, "x"))
    model = build_network(student.recipe.network, (1, 8, 8), 10)
    tensor_file.write_tensors(tmp_path / "student.safetensors", dict(model.state_dict()))
    monkeypatch.chdir(tmp_path)
    exec(_loading_code(student).removeprefix("```python").removesuffix("```"), {})
    assert capsys.readouterr().out.startswith("tensor([")


def test_all_members_of_an_ensemble_are_named() -> None:
    experiment: object = None  # not read here
    text = _description(
        experiment, exported_card(ensemble=[{"model": MLP}, {"model": {"name": "cnn", "subclasses": 2}}])
    )  # type: ignore[arg-type]
    assert "distilled from mlp (hidden [4]) and cnn (subclasses 2) by" in text


def test_the_recipe_is_a_space_of_one_student(trained, exported, best):
    trial, recipe = best(trained)
    single = space.load_space(exported / "recipe.yaml")
    assert single.cells() == [{}] and single.seeds == [recipe.seed] and single.teacher_seeds == [0]
    assert single.fill({}, single.seeds[0], single.teacher_seeds[0]).key() == recipe.key() == trial


def test_the_card_has_results_and_protocol(trained, exported, best):
    text, rows = (exported / "card.md").read_text(), students.read_students(trained)
    trial, _ = best(trained)
    line = next(line for line in text.splitlines() if line.startswith("| this student"))
    assert f"{100 * rows.set_index('trial').loc[trial]['test_accuracy']:.2f}" in line
    assert re.search(r"\| its configuration, all seeds \| \d\d\.\d\d ± \d+\.\d\d \| \d\d\.\d\d \| 2 \|", text)
    assert re.search(r"\| baseline: the same without a teacher \| \d\d\.\d\d ± \d+\.\d\d \| \d\d\.\d\d \| 2 \|", text)
    assert re.search(r"\| teacher \| \d\d\.\d\d \| 90\.00 \| 1 \|", text)
    for part in ("1,097 / 300 / 400 images", "some loss", "float32", "a processor", "2026-01-02", "Epochs: 2", "1,210"):
        assert part in text
    assert re.search(r"\| this student \| 0\.\d+ \| \d\S* \(n = 50\) \| \d\S* \(n = \d+\) \|", text)
    assert re.search(r"\| teacher \| 0\.\d+ \| \d\S* \(n = 50\) \| \d\S* \(n = \d+\) \|", text)
    assert "on 400 test images; test accuracy" in text and "as recorded in training" in text


def test_the_front_matter_is_read_by_the_hubs_own_library(trained, exported, best) -> None:
    text, (trial, _) = (exported / "card.md").read_text(), best(trained)
    card = ModelCard(text)
    assert (card.data.pipeline_tag, card.data.library_name) == ("image-classification", "onnx")
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["accuracy"].dataset_name == "digits"
    row = students.read_students(trained).set_index("trial").loc[trial]
    assert results["accuracy"].metric_value == pytest.approx(row["test_accuracy"])


def test_no_path_of_this_machine_is_on_the_card(copy, tmp_path) -> None:
    (tmp_path / "sets").mkdir()
    (folder,) = export(copy, data=tmp_path / "sets")
    text = (folder / "card.md").read_text()
    assert "search.run recipe.yaml --data DIR\n" in text and "DIR is the folder of the data sets" in text
    assert str(tmp_path) not in text and not re.search(r"(?<![\w.])/(tmp|root|home|work|usr)\b", text)


def test_the_normalization_is_on_the_card() -> None:
    network = build_network(Model.model_validate({"name": "cnn", "normalize": "imagenet"}), (3, 8, 8), 10)
    student = exported_card(model=MLP)._replace(normalization=input_normalization(network))
    text = _input_and_output(student)
    assert "It also subtracts the mean (0.485, 0.456, 0.406) and divides by the deviation (0.229, " in text
    assert "subtracts" not in _input_and_output(exported_card(model=MLP))


def test_the_student_alone_is_exported(copy, tmp_path) -> None:
    (folder,) = export(copy, tmp_path / "alone", student="baseline")
    text = (folder / "card.md").read_text()
    assert "# tiny: the student alone, the best by validation" in text and "trained on labels only" in text
    assert space.load_space(folder / "recipe.yaml").fill({}, 0).teacher is None


def test_the_code_on_the_card_runs(exported, tmp_path, python):
    folder = shutil.copytree(exported, tmp_path / "moved")
    blocks = re.findall(r"```python\n(.*?)```", (folder / "card.md").read_text(), re.S)
    assert len(blocks) == 3
    done = python("-c", "\nprint('next')\n".join(blocks), cwd=folder)  # in one process: the imports cost seconds
    printed = done.stdout.split("next\n")
    assert len(printed) == 3 and all(re.search(r"(\d\W+){7}", text) for text in printed), done.stderr
    (command,) = re.findall(r"```sh\n(.*?)\n```", (folder / "card.md").read_text(), re.S)
    assert command == "python -m search.run recipe.yaml"
