"""Validation of recipes before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.cost import Cost, network_cost
from trainables.data import Dataset
from trainables.models import MODELS
from trainables.validate import data_problems, recipe_problems

HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4}
MLP = {"name": "mlp", "hidden": [16]}


def tree(**parts: Any) -> Recipe:
    return Recipe.model_validate({"data": {"name": "digits"}, "method": HINTON, "student": {"model": MLP}} | parts)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"teacher": None, "method": {"name": "none"}},
        {"student": {"model": {"name": "cnn", "padding": "valid", "dropout": 0}}},
        {"teacher": {"model": {"name": "mlp", "hidden": [1200, 1200], "dropout": 0.5, "input_dropout": 0.2}}},
    ],
)
def test_no_problems(parts: dict[str, Any]) -> None:
    assert list(recipe_problems(tree(**parts))) == []


@pytest.mark.parametrize(
    ("parts", "path", "message"),
    [
        ({"data": {"name": "digit"}}, "data.name", "digit is no data set; did you mean digits?"),
        ({"data": {"name": "digits", "size": 3}}, "data.size", "unknown key"),
        ({"method": HINTON | {"name": "hintn"}}, "method.name", "hintn is no method; did you mean hinton?"),
        ({"method": {"name": "hinton", "alpha": 0.5}}, "method.temperature", "missing"),
        ({"method": HINTON | {"alpha": 1.5}}, "method.alpha", "expected at most 1"),
        ({"method": HINTON | {"temprature": 4}}, "method.temprature", "unknown key"),
        ({"student": {"model": {"name": "mpl"}}}, "student.model.name", "mpl is no model; did you mean mlp?"),
        ({"student": {"model": {"name": "mlp"}}}, "student.model.hidden", "missing"),
        ({"student": {"model": {"name": "cnn", "padding": "sam"}}}, "student.model.padding", "did you mean same?"),
        ({"teacher": {"model": {"name": "xyzzy"}}}, "teacher.model.name", "xyzzy is no model; known: cnn, mlp"),
        ({"teacher": {"model": MLP | {"dropout": 1}}}, "teacher.model.dropout", "expected less than 1"),
        ({"teacher": {"weights": "/no/such.pth"}}, "teacher.weights", "/no/such.pth: no such file"),
    ],
)
def test_one_problem_per_mistake(parts: dict[str, Any], path: str, message: str) -> None:
    ((problem_path, text),) = recipe_problems(tree(**parts))
    assert problem_path == path and message in text and not text.startswith(path)


def test_every_part_is_validated() -> None:
    bad: dict[str, Any] = {"name": "xyzzy"}
    problems = recipe_problems(
        tree(data=bad, method=bad, student={"model": bad}, teacher={"model": bad, "weights": "/none"})
    )
    paths = ["data.name", "student.model.name", "method.name", "teacher.model.name", "teacher.weights"]
    assert [path for path, _ in problems] == paths


def test_an_existing_weights_file(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    assert list(recipe_problems(tree(teacher={"weights": str(tmp_path / "w.pth")}))) == []


def test_a_first_stage_of_all_epochs() -> None:
    fitnets = {**HINTON, "name": "fitnets", "guided": "relu1", "hint": "relu3", "hint_epochs": 2}
    assistant = {"method": fitnets, "teacher": {}, "train": {"epochs": 1}}
    assert list(recipe_problems(tree(method=fitnets, train={"epochs": 3}))) == []
    problems = recipe_problems(tree(method=fitnets, train={"epochs": 2}, teacher=assistant))
    assert [path for path, _ in problems] == ["method.hint_epochs", "teacher.method.hint_epochs"]


ROUTED = {"name": "routed", "width": 2, "students": [MLP, MLP]}
HINT = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}


@pytest.mark.parametrize(
    ("parts", "path", "text"),
    [
        ({"train": {"omit": {"classes": [3, 12]}}}, "train.omit.classes", "found 12, expected classes from 0 to 9"),
        (
            {"train": {"class_weights": [1.0, 2.0]}},
            "train.class_weights",
            "found 2 weights, expected one for each of the 10",
        ),
        ({"train": {"omit": {"classes": [*range(10)]}}}, "train.omit.classes", "all 10 classes are omitted"),
        (
            {"train": {"omit": {"classes": [3], "correct_bias": True}}, "student": {"model": MLP | {"subclasses": 2}}},
            "train.omit.correct_bias",
            "the network does not end in a linear layer",
        ),
        (
            {"train": {"omit": {"classes": [3], "correct_bias": True}}, "student": {"model": ROUTED}},
            "train.omit.correct_bias",
            "the network does not end in a linear layer",
        ),
        ({"teacher": {"model": MLP | {"subclasses": [2, 2]}}}, "teacher.model", "found 2 numbers, expected one for"),
        (
            {"teacher": {"model": MLP | {"subclasses": 2}}, "student": {"model": ROUTED}},
            "student.model",
            "not possible in a network of several students",
        ),
        (
            {"teacher": {"model": MLP, "method": HINT | {"guided": "relu7"}, "teacher": {"model": MLP}}},
            "teacher.method.guided",
            "no layer relu7 in this network; did you mean relu1?",
        ),
        (
            {"teacher": {"model": MLP, "method": HINT, "teacher": {"model": MLP | {"subclasses": [2]}}}},
            "teacher.teacher.model",
            "found 1 numbers",
        ),
        (
            {"teacher": {"ensemble": [{"model": MLP}, {"model": MLP | {"subclasses": [2]}}]}},
            "teacher.ensemble.1.model",
            "found 1 numbers",
        ),
    ],
)
def test_one_problem_with_data_or_networks(digits: Dataset, parts: Any, path: str, text: str) -> None:
    ((problem_path, message),) = data_problems(tree(**parts), digits)
    assert problem_path == path and text in message


def test_no_problems_with_data_and_networks(digits: Dataset) -> None:
    omit = {"classes": [3], "correct_bias": True}
    assert (
        list(data_problems(tree(train={"omit": omit}, teacher={"model": MLP, "train": {"omit": omit}}), digits)) == []
    )


def model(name: str, **knobs: Any) -> Model:
    return Model.model_validate({"name": name} | knobs)


def test_the_cost_of_a_network(digits: Dataset) -> None:
    assert network_cost(model("mlp", hidden=[16]), digits) == Cost(64 * 16 + 16 + 160 + 10, 64 * 16 + 160)


def test_cost_needs_no_memory(digits: Dataset) -> None:
    wide = 10**7  # 400 TB of weights
    assert network_cost(model("mlp", hidden=[wide, wide]), digits).macs == 64 * wide + wide**2 + 10 * wide


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (1, 3, 3)])
def test_a_network_that_does_not_fit_the_images(digits: Dataset, shape: tuple[int, int, int]) -> None:
    small = digits._replace(train=digits.train._replace(images=digits.train.images[:, :, : shape[1], : shape[2]]))
    for padding in ("same", "valid"):
        if shape == (1, 3, 3) and padding == "same":
            continue  # 3 by 3 becomes 1 by 1
        with pytest.raises(UserError, match=r"model cnn: cannot be built for images \[1, \d, \d\]: ") as caught:
            network_cost(model("cnn", padding=padding), small)
        assert "\n" not in str(caught.value)


def test_a_model_that_raises(digits: Dataset, monkeypatch: pytest.MonkeyPatch, recipe: Callable[..., Recipe]) -> None:
    def broken(shape: tuple[int, int, int], classes: int) -> None:
        raise ValueError

    monkeypatch.setitem(MODELS, "broken", broken)
    with pytest.raises(UserError, match="model broken: cannot be built"):
        network_cost(model("broken"), digits)
