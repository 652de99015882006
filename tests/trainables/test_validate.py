"""A recipe against what is registered, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import UserError
from spaces.recipe import Model, Recipe
from trainables.cost import Cost
from trainables.data import Dataset
from trainables.models import MODELS
from trainables.validate import complaints, judge, price

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
def test_nothing_to_say(parts: dict[str, Any]) -> None:
    assert list(judge(tree(**parts))) == []


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
def test_one_complaint_for_one_mistake(parts: dict[str, Any], path: str, message: str) -> None:
    ((found, said),) = judge(tree(**parts))
    assert found == path and message in said and not said.startswith(path)


def test_every_part_is_judged() -> None:
    bad: dict[str, Any] = {"name": "xyzzy"}
    found = judge(tree(data=bad, method=bad, student={"model": bad}, teacher={"model": bad, "weights": "/none"}))
    paths = ["data.name", "student.model.name", "method.name", "teacher.model.name", "teacher.weights"]
    assert [path for path, _ in found] == paths


def test_a_file_of_weights_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    assert list(judge(tree(teacher={"weights": str(tmp_path / "w.pth")}))) == []


def test_a_method_that_never_comes_to_its_second_stage() -> None:
    fitnets = {**HINTON, "name": "fitnets", "guided": "relu1", "hint": "relu3", "hint_epochs": 2}
    assistant = {"method": fitnets, "teacher": {}, "train": {"epochs": 1}}
    assert list(judge(tree(method=fitnets, train={"epochs": 3}))) == []
    found = judge(tree(method=fitnets, train={"epochs": 2}, teacher=assistant))
    assert [path for path, _ in found] == ["method.hint_epochs", "teacher.method.hint_epochs"]


ROUTED = {"name": "routed", "width": 2, "students": [MLP, MLP]}
HINT = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}


@pytest.mark.parametrize(
    ("parts", "path", "said"),
    [
        ({"train": {"omit": {"classes": [3, 12]}}}, "train.omit.classes", "found 12, expected classes from 0 to 9"),
        (
            {"train": {"class_weights": [1.0, 2.0]}},
            "train.class_weights",
            "found 2 weights, expected one for each of the 10",
        ),
        ({"train": {"omit": {"classes": [*range(10)]}}}, "train.omit.classes", "all 10 classes are left out"),
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
            "not in a network of several students",
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
def test_one_complaint_of_what_data_and_networks_show(digits: Dataset, parts: Any, path: str, said: str) -> None:
    ((where, message),) = complaints(tree(**parts), digits)
    assert where == path and said in message


def test_data_and_networks_that_go_together(digits: Dataset) -> None:
    omit = {"classes": [3], "correct_bias": True}
    assert list(complaints(tree(train={"omit": omit}, teacher={"model": MLP, "train": {"omit": omit}}), digits)) == []


def model(name: str, **knobs: Any) -> Model:
    return Model.model_validate({"name": name} | knobs)


def test_the_price_of_a_network(digits: Dataset) -> None:
    assert price(model("mlp", hidden=[16]), digits) == Cost(64 * 16 + 16 + 160 + 10, 64 * 16 + 160)


def test_a_price_needs_no_memory(digits: Dataset) -> None:
    wide = 10**7  # 400 TB of weights
    assert price(model("mlp", hidden=[wide, wide]), digits).macs == 64 * wide + wide**2 + 10 * wide


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (1, 3, 3)])
def test_a_network_that_does_not_fit_the_images(digits: Dataset, shape: tuple[int, int, int]) -> None:
    small = digits._replace(train=digits.train._replace(images=digits.train.images[:, :, : shape[1], : shape[2]]))
    for padding in ("same", "valid"):
        if shape == (1, 3, 3) and padding == "same":
            continue  # 3 by 3 becomes 1 by 1
        with pytest.raises(UserError, match=r"model cnn: cannot be built for images \[1, \d, \d\]: ") as caught:
            price(model("cnn", padding=padding), small)
        assert "\n" not in str(caught.value)


def test_a_model_that_breaks_is_told(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, recipe: Callable[..., Recipe]
) -> None:
    def broken(shape: tuple[int, int, int], classes: int) -> None:
        raise ValueError

    monkeypatch.setitem(MODELS, "broken", broken)
    with pytest.raises(UserError, match="model broken: cannot be built"):
        price(model("broken"), digits)
