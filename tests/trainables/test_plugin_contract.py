"""Networks and methods of plugins: what they may return, and what is refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from results.export import model_files
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin
from trainables.data import DATASETS, Dataset, load_dataset
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_logits
from trainables.fit import EpochResult
from trainables.methods import METHODS
from trainables.models import MODELS, build_network
from trainables.output import random_inputs
from trainables.plugin_functions import is_session_function
from trainables.validate import data_problems

NETWORKS = """
from collections import namedtuple
from dataclasses import dataclass
import torch
from torch import nn
from trainables.models import MODELS

@dataclass
class Outputs:
    logits: torch.Tensor
    loss: None = None

class Wrapped(nn.Module):
    def __init__(self, shape, classes, wrap):
        super().__init__()
        self.linear, self.wrap = nn.Linear(shape[0] * shape[1] * shape[2], classes), wrap

    def forward(self, images):
        return self.wrap(self.linear(images.flatten(1)))

def register(name, wrap, more=0):
    MODELS[name] = lambda shape, classes: Wrapped(shape, classes + more, wrap)

register("plain", lambda logits: logits)
register("dict", lambda logits: {"logits": logits, "loss": None})
register("single", lambda logits: {"out": logits})
register("tuple", lambda logits: (logits, [logits]))
register("named", namedtuple("Both", "features logits").__call__ and (lambda y: namedtuple("B", "f logits")(None, y)))
register("dataclass", Outputs)
register("item", lambda logits: logits * (1 if logits.sum().item() > -1e9 else 2))
register("keys", lambda logits: {"boxes": logits, "masks": logits})
register("none", lambda logits: None)
register("more", lambda logits: logits, more=2)
register("maps", lambda logits: logits[:, :, None])
register("integers", lambda logits: logits.long())
register("softmax", lambda logits: logits.softmax(1))
register("nan", lambda logits: logits * float("nan"))
register("detached", lambda logits: logits.detach())
register("batch", lambda logits: logits - logits.mean(0))
register("raises", lambda logits: logits @ logits)

def drop_path(shape, classes):
    rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
    return nn.Sequential(nn.Flatten(), nn.Dropout(rates[1]), nn.Linear(64, classes))

MODELS["linspace"] = drop_path
MODELS["fails"] = lambda shape, classes: nn.Linear(shape[7], classes)
MODELS["nothing"] = lambda shape, classes: None
MODELS["lazy"] = lambda shape, classes: nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
MODELS["fixed"] = lambda shape, classes: nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(classes))
"""
METHODS_SOURCE = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from trainables.methods import METHODS

own = nn.Linear(10, 10)

def losses(student, labels):
    return cross_entropy(student.logits, labels, reduction="none")

METHODS["fine"] = lambda student, teacher, labels: (
    losses(student, labels) + (student.logits - teacher.logits.detach()).square().mean(1))
METHODS["mean"] = lambda student, teacher, labels: cross_entropy(student.logits, labels)
METHODS["number"] = lambda student, teacher, labels: 0.5
METHODS["infinite"] = lambda student, teacher, labels: losses(student, labels) / 0
METHODS["detached"] = lambda student, teacher, labels: losses(student, labels).detach()
METHODS["to_teacher"] = lambda student, teacher, labels: (student.logits - teacher.logits).square().mean(1)
METHODS["own"] = lambda student, teacher, labels: (own(student.logits) - teacher.logits.detach()).square().mean(1)
METHODS["raises"] = lambda student, teacher, labels: student.nonsense
METHODS["input"] = lambda student, teacher, labels, imgaes: losses(student, labels)
METHODS["undeclared"] = lambda student, teacher, labels, module: losses(student, labels)
"""
STATEFUL_SOURCE = """
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from trainables.declare import declare
from trainables.knobs import StudentLayer
from trainables.methods import METHODS

class Owned(nn.Module):
    def __init__(self, shapes, kind):
        super().__init__()
        self.kind, self.steps = kind, 0
        self.map = nn.Linear(shapes.student["relu1"].numel(), 10)
        self.unused = nn.Linear(3, 3) if kind == "unreached" else None
        self.register_buffer("mean", torch.zeros(10) if kind != "resized" else torch.zeros(0))

    def forward(self, features):
        self.steps += 1
        logits = self.map(features)
        shift = self.steps if self.kind == "forgotten" else self.mean
        self.mean = 0.9 * self.mean + 0.1 * logits.detach().mean(0) if self.kind != "resized" else logits.detach()
        return logits - shift if self.kind != "resized" else logits

def register(kind):
    @declare(module=lambda shapes, *, layer: Owned(shapes, kind) if kind != "wrong" else 7)
    def method(student, teacher, labels, module, *, layer: StudentLayer = "relu1"):
        logits = module(student.features[layer])
        soft = (logits - teacher.logits.detach()).square().mean(1)
        return soft + cross_entropy(student.logits, labels, reduction="none")
    METHODS[kind] = method

for kind in ("memory", "unreached", "forgotten", "resized", "wrong"):
    register(kind)

@declare(module=lambda shapes: nn.Linear(2, 2))
def unused(student, teacher, labels):
    return cross_entropy(student.logits, labels, reduction="none")

METHODS["unused"] = unused
"""
DATA = """
import numpy as np
from trainables.data import DATASETS, Dataset, Split

def made(shape):
    def load(root, download):
        labels = np.arange(40) % 2
        inputs = np.random.default_rng(0).normal(size=(40, *shape)) + labels.reshape(-1, *[1] * len(shape))
        split = Split(inputs, labels)
        return Dataset(split, split, split, ("low", "high"), "made", "none", "made")
    return load

DATASETS["table"] = made([6])
DATASETS["spectrogram"] = made([1, 8, 12])
DATASETS["series"] = made([5, 9])
DATASETS["broken"] = lambda root, download: open("/nowhere.csv")
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the plugins of this file for one test."""
    monkeypatch.setattr(plugin, "_loaded_sources", {})
    before = [(registry, dict(registry)) for registry in (METHODS, MODELS, DATASETS)]
    plugin.register_plugins(
        {"nets.py": NETWORKS, "losses.py": METHODS_SOURCE, "own.py": STATEFUL_SOURCE, "sets.py": DATA}
    )
    yield
    for registry, entries in before:
        registry.clear()
        registry.update(entries)


@pytest.mark.parametrize("name", ["plain", "dict", "single", "tuple", "named", "dataclass", "item", "linspace"])
def test_networks_of_others(
    name: str, recipe: Callable[..., Recipe], run: Callable[..., Any], labels: DistillationData
) -> None:
    own = recipe({"name": name}, epochs=2)
    assert list(data_problems(own, labels.data)) == []
    last: EpochResult = run(own, labels)[-1]
    assert last.val_accuracy > 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keys", "keys returned dict with the keys boxes, masks, expected logits [batch, classes]"),
        ("none", "none returned NoneType, expected logits [batch, classes]"),
        ("more", "more returned [4, 12] for 4 images, expected [4, 10]: one logit for each class"),
        ("maps", "maps returned [4, 10, 1] for 4 images, expected [4, 10]"),
        ("integers", "integers returned numbers of type torch.int64, expected floats"),
        ("softmax", "softmax returned probabilities, expected logits before softmax"),
        ("nan", "nan returned NaN or infinite logits"),
        ("detached", "detached: no parameter is reached by the gradient"),
        ("batch", "batch: in evaluation, the logits of an image depend on the other images of its batch"),
        ("raises", "nets.py:"),
        ("fails", "nets.py:47: IndexError: tuple index out of range"),
        ("nothing", "nothing returned NoneType, expected a torch.nn.Module"),
        ("lazy", "lazy has lazy layers, expected layers of known sizes"),
        ("fixed", "fixed has no parameters to train"),
    ],
)
def test_other_networks_are_refused_in_one_line(
    name: str, message: str, recipe: Callable[..., Recipe], digits: Dataset
) -> None:
    ((path, text),) = data_problems(recipe({"name": name}), digits)
    assert path == "student.model" and message in text and len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fine", None),
        ("mean", "mean returned [], expected one loss per example, [4]: not their mean or sum"),
        ("number", "number returned float, expected one loss per example"),
        ("infinite", "infinite returned a loss that is NaN or infinite"),
        ("detached", "detached: no gradient reaches the student"),
        ("to_teacher", "to_teacher: the gradient reaches the teacher; detach its tensors"),
        ("own", "own: a parameter of its own, [10, 10], is never trained: declare it by @declare(module=…)"),
        (
            "input",
            "input: no input imgaes for a method; did you mean images?; expected student, teacher, labels",
        ),
        ("undeclared", "undeclared lacks the declaration of its module: @declare(module=…)"),
        ("unused", "unused lacks the argument module"),
        ("memory", None),
        ("unreached", "unreached: no gradient reaches the parameter unused.weight of its module"),
        ("forgotten", "forgotten: its module has state that a checkpoint does not hold; use register_buffer"),
        ("resized", "resized: the state of its module cannot be restored from a checkpoint: size mismatch for mean"),
        ("wrong", "<lambda> returned int, expected a torch.nn.Module"),
        ("raises", "losses.py:20: AttributeError: 'Output' object has no attribute 'nonsense'"),
    ],
)
def test_methods(name: str, message: str | None, recipe: Callable[..., Recipe], digits: Dataset) -> None:
    teacher = {"model": {"name": "mlp", "hidden": []}}
    problems = list(data_problems(recipe(None, {"name": name}, teacher=teacher), digits))
    assert [path for path, _ in problems] == ([] if message is None else ["method"])
    assert message is None or message in problems[0][1]


def test_a_missing_layer_of_a_plugin_is_named(recipe: Callable[..., Recipe], digits: Dataset) -> None:
    own = recipe(None, {"name": "memory", "layer": "relu9"}, teacher={"model": {"name": "mlp", "hidden": []}})
    (problem,) = data_problems(own, digits)
    assert problem == ("method.layer", "no layer relu9 in this network; did you mean relu1?")


@pytest.mark.parametrize("name", ["table", "spectrogram", "series"])
def test_float_inputs_of_any_shape_are_trained_and_exported(
    name: str, recipe: Callable[..., Recipe], run: Callable[..., Any], tmp_path: Any
) -> None:
    data = load_dataset(name)
    own = recipe({"name": "mlp", "hidden": [8], "normalize": {"mean": [0.5], "std": [1.1]}}, batch_size=8)
    assert list(data_problems(own, data)) == []
    state = run(own, DistillationData(data, None))[-1].state
    network = build_network(own.network, data.shape, 2)
    network.load_state_dict(state.weights)
    inputs = random_inputs(5, data.shape, network.linear1.weight.dtype)
    (tmp_path / model_files.ONNX).write_bytes(model_files.onnx_bytes(network, data.shape, [], dtype=inputs.dtype))
    logits = predict_logits(network, inputs)
    assert (model_files.run_onnx(tmp_path / model_files.ONNX, inputs) - logits).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("model", "train", "path", "message"),
    [
        ({"name": "cnn"}, {}, "student.model", "cnn needs images [channels, height, width], but the inputs are [6]"),
        ({"name": "mlp", "hidden": [4], "resize": 8}, {}, "student.model", "resize needs images"),
        (None, {"shift": 1}, "train.shift", "for images [channels, height, width] only, but the inputs are [6]"),
    ],
)
def test_what_needs_images_is_refused_for_a_table(
    model: Any, train: dict[str, Any], path: str, message: str, recipe: Callable[..., Recipe]
) -> None:
    problems = list(data_problems(recipe(model, **{"batch_size": 8, **train}), load_dataset("table")))
    assert [key for key, _ in problems] == [path] and message in problems[0][1]


def test_an_error_of_a_loader_has_file_and_line() -> None:
    with pytest.raises(UserError, match=r"^sets.py:16: FileNotFoundError: .*/nowhere.csv"):
        load_dataset("broken")


def test_functions_of_a_notebook_differ_from_plugins() -> None:
    def narrow(shape: Any, classes: int) -> None: ...

    narrow.__module__ = "__main__"
    assert is_session_function(narrow)
    assert not is_session_function(MODELS["plain"]) and not is_session_function(MODELS["mlp"])
