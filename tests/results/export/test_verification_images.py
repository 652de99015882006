"""Exports are verified on the images of the experiment, or on random ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results import leaderboard, paths, records, students
from results.command_line import main
from results.export import export
from spaces.errors import UserError
from trainables import data as datasets
from trainables.data.data_identity import data_identity
from trainables.weights import tensor_file


def test_a_smoke_test_is_verified_on_its_own_images(tmp_path, train):
    folder = train(tmp_path / "run", data=datasets.load_dataset("digits").take(128, 40, 50))
    environment = records.read_environment(folder)
    records.save_environment(folder, {**environment, "command": f"{environment['command']} --smoke-test"})
    (exported,) = export(folder)
    text = (exported / "card.md").read_text()
    assert "on 50 test images" in text and "search.run recipe.yaml --smoke-test\n" in text


def test_without_data_logits_are_compared_on_random_images(copy, record_mnist, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    record_mnist(copy, [1, 8, 8])
    assert main(["export", str(copy)]) == 0
    assert "random images; accuracy could not be checked: mnist:" in capsys.readouterr().out
    assert "accuracy could not be checked" in (copy / "export" / "card.md").read_text()
    assert main(["export", str(copy), "--data", str(tmp_path)]) == 2
    assert "mnist" in capsys.readouterr().err


def test_without_data_and_shape_there_is_no_export(copy, record_mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    record_mnist(copy, None)
    with pytest.raises(UserError, match="cannot be verified"):
        export(copy)


def test_another_data_set_is_refused(copy):
    environment = records.read_environment(copy)
    environment["data"]["test"] = 401
    records.save_environment(copy, environment)
    with pytest.raises(UserError, match=r"digits: not the data of the experiment \(1,797 images, were 1,798\)"):
        export(copy)


def best_trial(folder: Path) -> str:
    (trial,) = leaderboard.best_trials(students.read_students(folder))
    return trial


def test_class_names_are_those_of_training(copy):
    """Neither a record that another run replaced nor renamed folders give a student other class names."""
    trial = best_trial(copy)
    classes = [f"kind {digit}" for digit in range(10)]
    weights = paths.weights_file(copy, trial)
    tensor_file.write_tensors(weights, tensor_file.read_tensors(weights)[0], {"classes": json.dumps(classes)})
    with pytest.raises(UserError, match="trained with class kind 0 in the place of 0; nothing is exported"):
        export(copy)
    environment = records.read_environment(copy)
    environment["data"]["classes"][3] = "three"
    records.save_environment(copy, environment)
    with pytest.raises(UserError, match=r"not the data of the experiment \(class three is gone, class 3 is new\)"):
        export(copy)
    records.save_identity(copy, {"data": data_identity(datasets.load_dataset("digits"))})
    with pytest.raises(UserError, match="kind 0 in the place of 0"):
        export(copy)


def test_changed_images_are_refused(copy):
    data = datasets.load_dataset("digits")
    labels = data.test.labels.copy()
    labels[[0, 1]] = labels[[1, 0]]
    changed = data._replace(test=data.test._replace(labels=labels))
    records.save_identity(copy, {"data": data_identity(changed)})
    with pytest.raises(UserError, match="other pixels or labels, in as many images of each class"):
        export(copy)
