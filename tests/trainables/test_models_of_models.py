"""Networks made of networks: what they answer, cost, learn and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from results.export import files
from spaces.recipe import Model, Recipe
from trainables.cost import Cost, cost
from trainables.distillation_data import DistillationData
from trainables.fit import Epoch
from trainables.knobs import problems
from trainables.models import MODELS, build
from trainables.models.routed import Routed
from trainables.output import observe
from trainables.weights import tensor_file

DIGITS = (1, 8, 8)
MLP: dict[str, Any] = {"name": "mlp", "hidden": [12]}
CNN: dict[str, Any] = {"name": "cnn", "dropout": 0.0}
ENSEMBLE: dict[str, Any] = {"name": "ensemble", "members": 3, "of": MLP}
ROUTED: dict[str, Any] = {"name": "routed", "students": [MLP, CNN, MLP], "width": 4}

both = pytest.mark.parametrize("tree", [ENSEMBLE, ROUTED], ids=lambda tree: tree["name"])


def made(tree: dict[str, Any], shape: tuple[int, int, int] = DIGITS, seed: int = 0) -> nn.Module:
    return build(Model.model_validate(tree), shape, 10, seed).eval()


def price(tree: dict[str, Any]) -> Cost:
    return cost(made(tree), DIGITS)


def test_an_ensemble_answers_the_mean_probability() -> None:
    network, images = made(ENSEMBLE), torch.rand(5, *DIGITS)
    found = observe(network, images)
    mean = torch.stack([member(images).softmax(-1) for member in network.members]).mean(0)
    torch.testing.assert_close(found.features["members"].softmax(-1).mean(1), mean)
    torch.testing.assert_close(found.logits.softmax(-1), mean)
    torch.testing.assert_close(found.logits.exp().sum(-1), torch.ones(5))  # they are log-probabilities already


def test_an_ensemble_is_finite_where_its_members_contradict_each_other() -> None:
    network = made(ENSEMBLE)
    for i, member in enumerate(network.members):
        member.logits.bias.data[i] = 1e4
    logits = network(torch.rand(5, *DIGITS))
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[:, :3].exp(), torch.full((5, 3), 1 / 3))


def test_an_ensemble_of_one_is_its_member() -> None:
    alone, images = made(ENSEMBLE | {"members": 1}), torch.rand(5, *DIGITS)
    torch.testing.assert_close(alone(images).softmax(-1), alone.members[0](images).softmax(-1))


@both
def test_parts_of_one_description_start_differently(tree: dict[str, Any]) -> None:
    state = made(tree).state_dict()
    first, second = (
        value for key, value in state.items() if key.endswith(("s.0.linear1.weight", "s.2.linear1.weight"))
    )
    assert not torch.equal(first, second)


def test_the_cost_is_that_of_all_parts() -> None:
    member, cnn = price(MLP), price(CNN)
    assert price(ENSEMBLE) == (3 * member.parameters, 3 * member.macs)
    selector = cost(made(ROUTED).selector, DIGITS)
    assert price(ROUTED) == tuple(2 * a + b + c for a, b, c in zip(member, cnn, selector, strict=True))
    # Two 3x3 convolutions in each of three blocks, at 8x8, 4x4 and 2x2 pixels, and a linear layer on 6 numbers.
    assert selector.macs == 9 * (64 * (4 + 4 * 8) + 16 * (8 * 16 + 16 * 16) + 4 * (16 * 32 + 32 * 6)) + 6 * 3


def test_a_routed_network_answers_as_the_student_it_trusts_most() -> None:
    network, images = made(ROUTED), torch.rand(64, *DIGITS)
    assert isinstance(network, Routed)
    network.selector[-1].weight.data *= 20  # so that each student is trusted somewhere
    network.selector[-1].bias.data -= network.selector(images).mean(0)
    found = observe(network, images, network.answers)
    students, selector = found.features["students"], found.features["selector"]
    assert students.shape == (64, 3, 10) and selector.shape == (64, 3)
    chosen = selector.argmax(-1).tolist()
    assert set(chosen) == {0, 1, 2}
    for i, student in enumerate(chosen):
        assert torch.equal(found.logits[i], students[i, student])
        torch.testing.assert_close(students[i, student], network.students[student](images[i : i + 1])[0])


def test_no_gradient_of_the_logits_reaches_the_selector() -> None:
    network = made(ROUTED)
    network(torch.rand(64, *DIGITS)).square().sum().backward()
    assert all(parameter.grad is None for parameter in network.selector.parameters())
    assert any(parameter.grad is not None for parameter in network.students.parameters())


def test_a_selector_needs_eight_pixels() -> None:
    with pytest.raises(ValueError, match="at least 8 pixels both ways"):
        made(ROUTED, (1, 7, 28))


@pytest.mark.parametrize("tree", [MLP, ENSEMBLE, ROUTED], ids=lambda tree: tree["name"])
def test_networks_may_be_nested(tree: dict[str, Any]) -> None:
    outer = {"name": "ensemble", "members": 2, "of": tree}
    assert problems(MODELS["ensemble"], {"members": 2, "of": tree}) == []
    assert made(outer)(torch.rand(2, *DIGITS)).shape == (2, 10)


@pytest.mark.parametrize(
    ("tree", "found"),
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
def test_mistakes_in_a_part_are_told_where_they_are(tree: dict[str, Any], found: list[tuple[str, str]]) -> None:
    model = Model.model_validate(tree)
    told = problems(MODELS[model.name], model.knobs)
    assert sorted(path for path, _ in told) == sorted(path for path, _ in found)
    assert all(any(path == at and text in said for at, said in told) for path, text in found)


@both
def test_they_are_priced_without_memory(tree: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = build(Model.model_validate(tree), DIGITS, 10)
        assert cost(network, DIGITS) == price(tree)
        assert all(parameter.is_meta for parameter in network.parameters())


@both
def test_they_learn_and_go_on_where_they_stopped(
    tree: dict[str, Any],
    recipe: Callable[..., Recipe],
    labels: DistillationData,
    run: Callable[..., list[Epoch]],
    same: Callable[[list[Epoch], list[Epoch]], bool],
) -> None:
    whole = run(recipe(tree), labels)
    assert whole[-1].val_accuracy > 0.6  # chance is 0.1
    assert same(whole[2:], run(recipe(tree), labels, whole[1].state))


def test_each_member_of_an_ensemble_learns_as_if_alone(
    recipe: Callable[..., Recipe], lesson: DistillationData, run: Callable[..., list[Epoch]]
) -> None:
    # The first member is the network that the same seed gives by itself. The loss is a mean over the members, so that
    # each takes half of a step: twice the rate is the same step, to the last bit.
    soft: dict[str, Any] = {"name": "hinton", "alpha": 0.9, "temperature": 4.0}
    train: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0, "precision": "float32", "epochs": 2}
    alone = run(recipe(MLP, soft, teacher={}, lr=0.05, **train), lesson)[-1].state.weights
    together = run(recipe(ENSEMBLE | {"members": 2}, soft, teacher={}, lr=0.1, **train), lesson)[-1].state.weights
    assert all(torch.equal(together[f"members.0.{name}"], weight) for name, weight in alone.items())
    assert not torch.equal(together["members.1.linear1.weight"], alone["linear1.weight"])


@both
@pytest.mark.parametrize("shape", [DIGITS, (3, 28, 28)])
def test_they_export_for_any_batch(tree: dict[str, Any], shape: tuple[int, int, int], tmp_path: Path) -> None:
    trained = made(tree, shape, seed=4)
    for name, buffer in trained.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
    images = torch.randint(0, 256, (33, *shape), dtype=torch.uint8)
    expected = files.Network(trained)(images)
    tensor_file.write(tmp_path / files.WEIGHTS, trained.state_dict())
    wanted = Recipe.model_validate({"student": {"model": tree}})
    assert torch.equal(files.Network(files.model(tmp_path / files.WEIGHTS, wanted, shape, 10))(images), expected)
    (tmp_path / files.ONNX).write_bytes(files.onnx_bytes(trained, shape, []))
    torch.testing.assert_close(files.run_onnx(tmp_path / files.ONNX, images), expected, rtol=1e-4, atol=1e-5)
