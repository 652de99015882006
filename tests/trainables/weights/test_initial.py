"""Initial weights: which tensors are loaded, which layers keep their own, which files are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult, fit
from trainables.models import build_network
from trainables.output import prepare_images
from trainables.teachers.key import teacher_key
from trainables.teachers.train import TeacherResult, train_teacher
from trainables.weights import tensor_file
from trainables.weights.initial import initial_weight_digests, initial_weight_problems, load_initial_weights
from trainables.weights.published import file_sha256

Make = Callable[..., Recipe]
Run = Callable[..., list[EpochResult]]
ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("KD_DATA") or ROOT.parent / "shared" / "data") / "weights" / "squeezenet1_0-imagenet.pth"
CNN: dict[str, Any] = {"name": "plain_cnn"}
DIGITS = (1, 8, 8)
BELL_COTE = 442  # class of ImageNet: a small tower on a roof


def network(tree: dict[str, Any], shape: tuple[int, int, int] = DIGITS, classes: int = 10, seed: int = 0) -> nn.Module:
    return build_network(Model.model_validate(tree), shape, classes, seed)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights of a network for seven classes of color images."""
    tensor_file.write_tensors(tmp_path / "seven.safetensors", dict(network(CNN, (3, 8, 8), 7, seed=42).state_dict()))
    return tmp_path / "seven.safetensors"


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_network_starts_from_a_file(tmp_path: Path, suffix: str) -> None:
    weights, path = dict(network(CNN, seed=42).state_dict()), tmp_path / f"all.{suffix}"
    if suffix == "pth":
        torch.save(weights, path)
    else:
        tensor_file.write_tensors(path, weights)
    model = network(CNN | {"weights": str(path)})
    (initial,) = load_initial_weights(model)
    assert initial == ("", f"all.{suffix}", file_sha256(path), [])
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_first_and_last_layer_may_have_other_shapes(file: Path) -> None:
    model, loaded, fresh = network(CNN | {"weights": str(file)}), network(CNN, (3, 8, 8), 7, seed=42), network(CNN)
    (initial,) = load_initial_weights(model)
    assert initial.renewed == ["conv1", "logits"]
    for name, value in model.state_dict().items():
        source = fresh if name.partition(".")[0] in initial.renewed else loaded
        assert torch.equal(value, source.state_dict()[name]), name


def test_only_layers_that_do_not_fit_are_renewed(file: Path) -> None:
    (initial,) = load_initial_weights(network(CNN | {"weights": str(file)}, (3, 8, 8), 10))
    assert initial.renewed == ["logits"]


def test_without_a_file_weights_stay_random() -> None:
    model = network(CNN)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert load_initial_weights(model) == []
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv2.weight": torch.zeros(16, 16, 5, 5)}, r"1 tensors: conv2.weight is \[16, 16, 5, 5\], expected \["),
        ({"norm1.bias": None}, "1 tensors: norm1.bias is missing"),
        ({"extra.weight": torch.zeros(1)}, "1 tensors: extra.weight is not in the model"),
        ({"conv1.weight": None}, "1 tensors: conv1.weight is missing"),
    ],
    ids=["shape", "missing", "unknown", "no stem"],
)
def test_other_tensors_that_do_not_fit_are_refused(
    recipe: Make, digits: Dataset, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path, changed = tmp_path / "w.safetensors", dict(network(CNN).state_dict()) | change
    tensor_file.write_tensors(path, {name: value for name, value in changed.items() if value is not None})
    model = network(CNN | {"weights": str(path)})
    with pytest.raises(UserError, match=rf"model.weights: {path}: does not fit the model \({message}"):
        load_initial_weights(model)
    ((key, problem),) = initial_weight_problems(recipe(CNN | {"weights": str(path)}), digits)
    assert key == "student.model.weights" and problem.startswith(f"{path}: does not fit")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.pth", "model.weights: nowhere.pth: no such file"),
        (".", "model.weights: .: a folder without weights, expected model.safetensors or pytorch_model.bin in it"),
        ("x" * 5000, "model.weights: x*: no such file"),  # no file system has such a name
        ("~nosuchuser/w.pth", "model.weights: ~nosuchuser/w.pth: no such home folder"),
    ],
    ids=["absent", "folder", "too long", "no home"],
)
def test_a_missing_file_is_one_line(recipe: Make, digits: Dataset, name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        load_initial_weights(network(CNN | {"weights": name}))
    ((path, message),) = initial_weight_problems(recipe(CNN | {"weights": name}), digits)
    assert path == "student.model.weights" and len(message.splitlines()) == 1


def test_a_folder_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read \\(Is a directory\\)"):
        file_sha256(tmp_path)


def test_a_file_without_a_fitting_layer_is_refused(tmp_path: Path) -> None:
    linear = {"name": "mlp", "hidden": []}
    tensor_file.write_tensors(tmp_path / "w.safetensors", dict(network(linear, (3, 8, 8), 7).state_dict()))
    with pytest.raises(UserError, match="does not fit the model"):
        load_initial_weights(network(linear | {"weights": str(tmp_path / "w.safetensors")}))


def test_counters_of_batch_norm_may_be_missing(tmp_path: Path) -> None:
    weights = {name: value for name, value in network(CNN, seed=3).state_dict().items() if "num_batches" not in name}
    tensor_file.write_tensors(tmp_path / "old.safetensors", weights)
    (initial,) = load_initial_weights(network(CNN | {"weights": str(tmp_path / "old.safetensors")}))
    assert initial.renewed == []


def test_old_densenet_names_and_googlenet_auxiliary_heads(tmp_path: Path) -> None:
    """As in the published files."""
    dense, goog = ({"name": name, "stem": "small"} for name in ("densenet121", "googlenet"))
    old = dict(network(dense, (3, 32, 32), seed=1).state_dict())
    for number in "12":
        old = {name.replace(f".norm{number}.", f".norm.{number}."): value for name, value in old.items()}
        old = {name.replace(f".conv{number}.", f".conv.{number}."): value for name, value in old.items()}
    heads = dict(network(goog, (3, 32, 32), seed=1).state_dict()) | {"aux1.fc1.weight": torch.ones(3)}
    for tree, weights in ((dense, old), (goog, heads)):
        path = tmp_path / f"{tree['name']}.pth"
        torch.save(weights, path)
        model = network(tree | {"weights": str(path)}, (3, 32, 32))
        (initial,) = load_initial_weights(model)
        assert initial.renewed == []
        expected = network(tree, (3, 32, 32), seed=1).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_subclasses_start_from_weights_of_classes(file: Path) -> None:
    (initial,) = load_initial_weights(network(CNN | {"weights": str(file), "subclasses": 3}, (3, 8, 8), 10))
    assert (initial.part, initial.renewed) == ("subclasses", ["logits"])


def test_each_part_of_a_network_starts_from_its_own(file: Path, tmp_path: Path) -> None:
    tensor_file.write_tensors(tmp_path / "other.safetensors", dict(network(CNN, (3, 8, 8), 10, seed=5).state_dict()))
    students = [CNN | {"weights": str(path)} for path in (file, tmp_path / "other.safetensors")]
    model = network({"name": "routed", "students": [*students, CNN]}, (3, 8, 8), 10)
    assert [(initial.part, initial.renewed) for initial in load_initial_weights(model)] == [
        ("students.0", ["logits"]),
        ("students.1", []),
    ]
    kernels = [model.get_parameter(f"students.{i}.conv2.weight") for i in range(3)]
    assert torch.equal(kernels[0], network(CNN, (3, 8, 8), 7, seed=42).get_parameter("conv2.weight"))
    assert torch.equal(kernels[1], network(CNN, (3, 8, 8), 10, seed=5).get_parameter("conv2.weight"))
    assert not torch.equal(kernels[2], kernels[0])


def test_weights_of_nested_networks(recipe: Make, digits: Dataset, tmp_path: Path) -> None:
    tensor_file.write_tensors(tmp_path / "w.safetensors", dict(network(CNN).state_dict()))
    nested = CNN | {"weights": str(tmp_path / "w.safetensors")}
    for tree in ({"name": "ensemble", "members": 2, "of": nested}, {"name": "routed", "students": [CNN, nested]}):
        assert set(initial_weight_digests(recipe(tree), digits)) == {file_sha256(tmp_path / "w.safetensors")}
    broken = {"name": "routed", "students": [CNN, CNN | {"weights": "nowhere.pth"}]}
    ((path, message),) = initial_weight_problems(recipe(broken), digits)
    assert (path, message) == ("student.model.weights", "students.1: nowhere.pth: no such file")


def test_a_student_starts_from_weights_and_trains(
    recipe: Make, run: Run, labels: DistillationData, tmp_path: Path
) -> None:
    first = run(recipe(CNN, epochs=4), labels)[-1]
    path = tmp_path / "trained.safetensors"
    tensor_file.write_tensors(path, first.state.weights)
    student = recipe(CNN | {"weights": str(path)}, epochs=1, lr=1e-5, seed=3)
    (warm,), (cold, *_) = run(student, labels), run(recipe(CNN, epochs=1, lr=1e-5, seed=3), labels)
    assert warm.val_accuracy > 0.9 > cold.val_accuracy
    assert not torch.equal(warm.state.weights["conv2.weight"], first.state.weights["conv2.weight"])


def test_resuming_does_not_need_the_file(
    recipe: Make, run: Run, same: Callable[..., bool], labels: DistillationData, file: Path
) -> None:
    student = recipe(CNN | {"weights": str(file)}, epochs=3)
    first, *rest = run(student, labels)
    file.unlink()
    assert same(run(student, labels, first.state), rest)
    with pytest.raises(UserError, match=f"model.weights: {file}: no such file"):
        next(fit(student, labels))


def test_a_teacher_starts_from_weights_and_trains(
    kd_cache: Path, distilled_recipe: Make, digits: Dataset, file: Path
) -> None:
    student = distilled_recipe(model=CNN | {"weights": str(file)})
    *events, trained = train_teacher(student, digits)
    assert isinstance(trained, TeacherResult) and len(events) == 4
    (initial,) = trained.record["weights"]
    assert initial == {"part": "", "file": file.name, "sha256": file_sha256(file), "renewed": ["conv1", "logits"]}
    (cached,) = train_teacher(student, digits)
    assert isinstance(cached, TeacherResult) and cached.record["weights"] == [initial]


def test_a_teacher_without_epochs_has_its_initial_weights(
    kd_cache: Path, distilled_recipe: Make, digits: Dataset, tmp_path: Path
) -> None:
    tensor_file.write_tensors(tmp_path / "w.safetensors", dict(network(CNN, seed=7).state_dict()))
    started = distilled_recipe(model=CNN | {"weights": str(tmp_path / "w.safetensors")}, train={"epochs": 0})
    as_is = distilled_recipe(model=CNN, weights=str(tmp_path / "w.safetensors"))
    (first,), (second,) = train_teacher(started, digits), train_teacher(as_is, digits)
    assert isinstance(first, TeacherResult) and isinstance(second, TeacherResult)
    assert (first.outputs.val == second.outputs.val).all()


def test_the_key_follows_the_content_of_the_file(
    distilled_recipe: Make, digits: Dataset, file: Path, tmp_path: Path
) -> None:
    student = distilled_recipe(model=CNN | {"weights": str(file)})
    first = teacher_key(student, digits)
    assert initial_weight_digests(student.teacher_recipe(), digits) == [file_sha256(file)]
    assert initial_weight_digests(student, digits) == []
    tensor_file.write_tensors(file, dict(network(CNN, (3, 8, 8), 7, seed=1).state_dict()))
    assert teacher_key(student, digits) != first != teacher_key(distilled_recipe(model=CNN), digits)


def test_a_teacher_has_one_kind_of_weights(distilled_recipe: Make) -> None:
    with pytest.raises(ValueError, match=r"cannot be combined with teacher\.weights"):
        distilled_recipe(model=CNN | {"weights": "a.pth"}, weights="b.pth")


def test_weights_count_in_the_key_of_a_recipe(recipe: Make) -> None:
    assert recipe(CNN).key() == recipe(CNN | {"weights": None}).key() != recipe(CNN | {"weights": "a.pth"}).key()


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/weights is not here")
def test_torchvision_s_file_starts_a_student() -> None:
    tree = {"name": "squeezenet", "weights": str(REAL)}
    model = network(tree, (3, 64, 64), 10)
    (initial,) = load_initial_weights(model)
    assert initial.renewed == ["classifier.1"]
    file = torch.load(REAL, weights_only=True)
    assert all(torch.equal(v, file[k]) for k, v in model.state_dict().items() if not k.startswith("classifier"))
    (small,) = load_initial_weights(network(tree | {"stem": "small"}, (1, 28, 28), 10))
    assert small.renewed == ["classifier.1", "features.0"]


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/weights is not here")
def test_torchvision_s_file_recognizes_a_temple() -> None:
    """Without the normalization these weights expect, the probability is a fifth."""
    model = network({"name": "squeezenet", "weights": str(REAL)}, (3, 224, 224), 1000).eval()
    assert load_initial_weights(model)[0].renewed == []
    photograph = Image.fromarray(load_sample_image("china.jpg")).resize((224, 224))
    images = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)[None]
    assert model(prepare_images(images)).softmax(1)[0, BELL_COTE] > 0.4
