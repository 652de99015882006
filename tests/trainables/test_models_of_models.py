"""Ensembles and routed students: outputs, costs, training and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from results.export import model_files
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.cost import Cost, count_cost
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult
from trainables.knobs import knob_problems
from trainables.models import MODELS, build_network
from trainables.models.routed import RoutedStudents
from trainables.output import forward_with_layers
from trainables.weights import tensor_file

DIGITS = (1, 8, 8)
MLP: dict[str, Any] = {"name": "mlp", "hidden": [12]}
CNN: dict[str, Any] = {"name": "cnn", "dropout": 0.0}
ENSEMBLE: dict[str, Any] = {"name": "ensemble", "members": 3, "of": MLP}
ROUTED: dict[str, Any] = {"name": "routed", "students": [MLP, CNN, MLP], "width": 4}

both = pytest.mark.parametrize("tree", [ENSEMBLE, ROUTED], ids=lambda tree: tree["name"])


def build(tree: dict[str, Any], shape: tuple[int, int, int] = DIGITS, seed: int = 0) -> nn.Module:
    return build_network(Model.model_validate(tree), shape, 10, seed).eval()


def cost_of(tree: dict[str, Any]) -> Cost:
    return count_cost(build(tree), DIGITS)


def test_an_ensemble_outputs_the_mean_probability() -> None:
    network, images = build(ENSEMBLE), torch.rand(5, *DIGITS)
    output = forward_with_layers(network, images)
    mean = torch.stack([member(images).softmax(-1) for member in network.members]).mean(0)
    torch.testing.assert_close(output.features["members"].softmax(-1).mean(1), mean)
    torch.testing.assert_close(output.logits.softmax(-1), mean)
    torch.testing.assert_close(output.logits.exp().sum(-1), torch.ones(5))  # they are log-probabilities


def test_an_ensemble_of_contradicting_members_is_finite() -> None:
    network = build(ENSEMBLE)
    for i, member in enumerate(network.members):
        member.logits.bias.data[i] = 1e4
    logits = network(torch.rand(5, *DIGITS))
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[:, :3].exp(), torch.full((5, 3), 1 / 3))


def test_an_ensemble_of_one_is_its_member() -> None:
    single, images = build(ENSEMBLE | {"members": 1}), torch.rand(5, *DIGITS)
    torch.testing.assert_close(single(images).softmax(-1), single.members[0](images).softmax(-1))


@both
def test_equal_parts_have_different_initial_weights(tree: dict[str, Any]) -> None:
    state = build(tree).state_dict()
    first, second = (
        value for key, value in state.items() if key.endswith(("s.0.linear1.weight", "s.2.linear1.weight"))
    )
    assert not torch.equal(first, second)


def test_the_cost_is_the_sum_of_the_parts() -> None:
    member, cnn = cost_of(MLP), cost_of(CNN)
    assert cost_of(ENSEMBLE) == (3 * member.parameters, 3 * member.macs)
    selector = count_cost(build(ROUTED).selector, DIGITS)
    assert cost_of(ROUTED) == tuple(2 * a + b + c for a, b, c in zip(member, cnn, selector, strict=True))
    # Two 3x3 convolutions in each of three blocks, at 8x8, 4x4 and 2x2 pixels, and a linear layer on 6 numbers.
    assert selector.macs == 9 * (64 * (4 + 4 * 8) + 16 * (8 * 16 + 16 * 16) + 4 * (16 * 32 + 32 * 6)) + 6 * 3


def test_a_routed_network_outputs_the_selected_student() -> None:
    network, images = build(ROUTED), torch.rand(64, *DIGITS)
    assert isinstance(network, RoutedStudents)
    network.selector[-1].weight.data *= 20  # so that each student is selected for some image
    network.selector[-1].bias.data -= network.selector(images).mean(0)
    output = forward_with_layers(network, images, network.extra_outputs)
    students, selector = output.features["students"], output.features["selector"]
    assert students.shape == (64, 3, 10) and selector.shape == (64, 3)
    selected = selector.argmax(-1).tolist()
    assert set(selected) == {0, 1, 2}
    for i, student in enumerate(selected):
        assert torch.equal(output.logits[i], students[i, student])
        torch.testing.assert_close(students[i, student], network.students[student](images[i : i + 1])[0])


def test_no_gradient_of_the_logits_reaches_the_selector() -> None:
    network = build(ROUTED)
    network(torch.rand(64, *DIGITS)).square().sum().backward()
    assert all(parameter.grad is None for parameter in network.selector.parameters())
    assert any(parameter.grad is not None for parameter in network.students.parameters())


def test_a_selector_needs_eight_pixels() -> None:
    with pytest.raises(ValueError, match="at least 8 pixels both ways"):
        build(ROUTED, (1, 7, 28))


@pytest.mark.parametrize("tree", [MLP, ENSEMBLE, ROUTED], ids=lambda tree: tree["name"])
def test_networks_may_be_nested(tree: dict[str, Any]) -> None:
    outer = {"name": "ensemble", "members": 2, "of": tree}
    assert knob_problems(MODELS["ensemble"], {"members": 2, "of": tree}) == []
    assert build(outer)(torch.rand(2, *DIGITS)).shape == (2, 10)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (ENSEMBLE | {"of": {"name": "mpl"}}, [("of.name", "mpl is no model; did you mean mlp?")]),
        (ENSEMBLE | {"of": {"nmae": "mlp"}}, [("of.nmae", "unknown key; did you mean name?")]),
        (ENSEMBLE | {"of": {"name": "mlp"}}, [("of.hidden", "missing")]),
        (ENSEMBLE | {"of": CNN | {"padding": "sam"}}, [("of.padding", "did you mean same?")]),
        (ENSEMBLE | {"of": MLP | {"subclasses": 3}}, [("of.subclasses", "unknown key")]),
        (ENSEMBLE | {"of": "mlp"}, [("of", 'found the text "mlp", expected a mapping')]),
        (ENSEMBLE | {"of": MLP | {"hiddn": 3, "dropout": 1}}, [("of.hiddn", "hidden?"), ("of.dropout", "than 1")]),
        (ENSEMBLE | {"of": ENSEMBLE | {"of": {"name": "mpl"}}}, [("of.of.name", "mpl is no model")]),
        (ROUTED | {"students": []}, [("students", "expected at least one")]),
        (ROUTED | {"students": MLP}, [("students", "expected a list")]),
        (ROUTED | {"students": [MLP, MLP | {"hidden": [0]}]}, [("students.1.hidden.0", "expected at least 1")]),
        (ROUTED | {"wdth": 3, "students": [{"name": "x"}]}, [("students.0.name", "x is no"), ("wdth", "width?")]),
    ],
)
def test_problems_of_parts_have_paths(tree: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    model = Model.model_validate(tree)
    problems = knob_problems(MODELS[model.name], model.knobs)
    assert sorted(path for path, _ in problems) == sorted(path for path, _ in expected)
    assert all(any(path == at and text in message for at, message in problems) for path, text in expected)


@both
def test_cost_without_memory(tree: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = build_network(Model.model_validate(tree), DIGITS, 10)
        assert count_cost(network, DIGITS) == cost_of(tree)
        assert all(parameter.is_meta for parameter in network.parameters())


@both
def test_train_and_continue(
    tree: dict[str, Any],
    recipe: Callable[..., Recipe],
    labels: DistillationData,
    run: Callable[..., list[EpochResult]],
    same: Callable[[list[EpochResult], list[EpochResult]], bool],
) -> None:
    results = run(recipe(tree), labels)
    assert results[-1].val_accuracy > 0.6  # chance is 0.1
    assert same(results[2:], run(recipe(tree), labels, results[1].state))


def test_members_train_independently(
    recipe: Callable[..., Recipe], distillation_data: DistillationData, run: Callable[..., list[EpochResult]]
) -> None:
    # The first member has the initial weights of a single network. The loss is a mean over two members, so twice the
    # learning rate gives the same step, bit for bit.
    soft: dict[str, Any] = {"name": "hinton", "alpha": 0.9, "temperature": 4.0}
    train: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0, "precision": "float32", "epochs": 2}
    single = run(recipe(MLP, soft, teacher={}, lr=0.05, **train), distillation_data)[-1].state.weights
    together = run(recipe(ENSEMBLE | {"members": 2}, soft, teacher={}, lr=0.1, **train), distillation_data)[
        -1
    ].state.weights
    assert all(torch.equal(together[f"members.0.{name}"], weight) for name, weight in single.items())
    assert not torch.equal(together["members.1.linear1.weight"], single["linear1.weight"])


@pytest.mark.parametrize(("tree", "shape"), [(ENSEMBLE, DIGITS), (ROUTED, (3, 28, 28))], ids=["ensemble", "routed"])
def test_export_for_any_batch_size(tree: dict[str, Any], shape: tuple[int, int, int], tmp_path: Path) -> None:
    trained = build(tree, shape, seed=4)
    for name, buffer in trained.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
    images = torch.randint(0, 256, (33, *shape), dtype=torch.uint8)
    expected = model_files.ExportedNetwork(trained)(images)
    tensor_file.write_tensors(tmp_path / model_files.WEIGHTS, trained.state_dict())
    student = Recipe.model_validate({"student": {"model": tree}})
    assert torch.equal(
        model_files.ExportedNetwork(model_files.load_student(tmp_path / model_files.WEIGHTS, student, shape, 10))(
            images
        ),
        expected,
    )
    (tmp_path / model_files.ONNX).write_bytes(model_files.onnx_bytes(trained, shape, []))
    torch.testing.assert_close(
        model_files.run_onnx(tmp_path / model_files.ONNX, images), expected, rtol=1e-4, atol=1e-5
    )
