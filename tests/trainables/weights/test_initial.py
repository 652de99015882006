"""Networks that start from weights: what is taken, what is begun anew and said so, what is refused."""

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
from spaces.recipe import Model, Recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import Epoch, fit
from trainables.models import build
from trainables.output import prepare
from trainables.teachers.teach import TeacherResult, key, teach
from trainables.weights import tensor_file
from trainables.weights.initial import begin, complaints, digests
from trainables.weights.published import digest

Make = Callable[..., Recipe]
Run = Callable[..., list[Epoch]]
ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("KD_DATA") or ROOT.parent / "shared" / "data") / "weights" / "squeezenet1_0-imagenet.pth"
CNN: dict[str, Any] = {"name": "plain_cnn"}
DIGITS = (1, 8, 8)
BELL_COTE = 442  # of ImageNet's classes: how a small tower on a roof is called there


def network(tree: dict[str, Any], shape: tuple[int, int, int] = DIGITS, classes: int = 10, seed: int = 0) -> nn.Module:
    return build(Model.model_validate(tree), shape, classes, seed)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The weights of a network for seven classes of color images."""
    tensor_file.write(tmp_path / "seven.safetensors", dict(network(CNN, (3, 8, 8), 7, seed=42).state_dict()))
    return tmp_path / "seven.safetensors"


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_network_starts_from_a_file(tmp_path: Path, suffix: str) -> None:
    taken, path = dict(network(CNN, seed=42).state_dict()), tmp_path / f"all.{suffix}"
    if suffix == "pth":
        torch.save(taken, path)
    else:
        tensor_file.write(path, taken)
    model = network(CNN | {"weights": str(path)})
    (told,) = begin(model)
    assert told == ("", f"all.{suffix}", digest(path), [])
    assert all(torch.equal(value, taken[name]) for name, value in model.state_dict().items())


def test_the_first_and_the_last_layer_may_be_of_other_shapes(file: Path) -> None:
    model, taken, fresh = network(CNN | {"weights": str(file)}), network(CNN, (3, 8, 8), 7, seed=42), network(CNN)
    (told,) = begin(model)
    assert told.renewed == ["conv1", "logits"]
    for name, value in model.state_dict().items():
        source = fresh if name.partition(".")[0] in told.renewed else taken
        assert torch.equal(value, source.state_dict()[name]), name


def test_only_the_last_layer_is_renewed_where_only_it_does_not_fit(file: Path) -> None:
    (told,) = begin(network(CNN | {"weights": str(file)}, (3, 8, 8), 10))
    assert told.renewed == ["logits"]


def test_nothing_is_begun_where_nothing_is_named() -> None:
    model = network(CNN)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert begin(model) == []
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
def test_anything_else_that_does_not_fit_is_refused(
    recipe: Make, digits: Dataset, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path, changed = tmp_path / "w.safetensors", dict(network(CNN).state_dict()) | change
    tensor_file.write(path, {name: value for name, value in changed.items() if value is not None})
    model = network(CNN | {"weights": str(path)})
    with pytest.raises(UserError, match=rf"model.weights: {path}: does not fit the model \({message}"):
        begin(model)
    ((place, said),) = complaints(recipe(CNN | {"weights": str(path)}), digits)
    assert place == "student.model.weights" and said.startswith(f"{path}: does not fit")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.pth", "model.weights: nowhere.pth: no such file"),
        (".", "model.weights: .: no such file"),
        ("x" * 5000, "model.weights: x*: no such file"),  # no file system has such a name
        ("~nosuchuser/w.pth", "~nosuchuser/w.pth: no such home folder"),
    ],
    ids=["absent", "folder", "too long", "no home"],
)
def test_a_file_that_is_not_there_is_one_line(recipe: Make, digits: Dataset, name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        begin(network(CNN | {"weights": name}))
    ((place, said),) = complaints(recipe(CNN | {"weights": name}), digits)
    assert place == "student.model.weights" and len(said.splitlines()) == 1


def test_what_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read \\(Is a directory\\)"):
        digest(tmp_path)


def test_weights_of_which_nothing_is_left_are_refused(tmp_path: Path) -> None:
    linear = {"name": "mlp", "hidden": []}
    tensor_file.write(tmp_path / "w.safetensors", dict(network(linear, (3, 8, 8), 7).state_dict()))
    with pytest.raises(UserError, match="does not fit the model"):
        begin(network(linear | {"weights": str(tmp_path / "w.safetensors")}))


def test_batch_norms_counters_may_be_missing(tmp_path: Path) -> None:
    taken = {name: value for name, value in network(CNN, seed=3).state_dict().items() if "num_batches" not in name}
    tensor_file.write(tmp_path / "old.safetensors", taken)
    (told,) = begin(network(CNN | {"weights": str(tmp_path / "old.safetensors")}))
    assert told.renewed == []


def test_old_names_and_heads_in_the_middle(tmp_path: Path) -> None:
    """Published files of DenseNet have names from before 2018, and GoogLeNet's have heads that nobody needs."""
    dense, goog = ({"name": name, "stem": "small"} for name in ("densenet121", "googlenet"))
    old = dict(network(dense, (3, 32, 32), seed=1).state_dict())
    for number in "12":
        old = {name.replace(f".norm{number}.", f".norm.{number}."): value for name, value in old.items()}
        old = {name.replace(f".conv{number}.", f".conv.{number}."): value for name, value in old.items()}
    heads = dict(network(goog, (3, 32, 32), seed=1).state_dict()) | {"aux1.fc1.weight": torch.ones(3)}
    for tree, taken in ((dense, old), (goog, heads)):
        path = tmp_path / f"{tree['name']}.pth"
        torch.save(taken, path)
        model = network(tree | {"weights": str(path)}, (3, 32, 32))
        (told,) = begin(model)
        assert told.renewed == []
        expected = network(tree, (3, 32, 32), seed=1).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_subclasses_start_from_weights_of_classes(file: Path) -> None:
    (told,) = begin(network(CNN | {"weights": str(file), "subclasses": 3}, (3, 8, 8), 10))
    assert (told.part, told.renewed) == ("subclasses", ["logits"])


def test_each_part_of_a_network_starts_from_its_own(file: Path, tmp_path: Path) -> None:
    tensor_file.write(tmp_path / "other.safetensors", dict(network(CNN, (3, 8, 8), 10, seed=5).state_dict()))
    students = [CNN | {"weights": str(path)} for path in (file, tmp_path / "other.safetensors")]
    model = network({"name": "routed", "students": [*students, CNN]}, (3, 8, 8), 10)
    assert [(each.part, each.renewed) for each in begin(model)] == [("students.0", ["logits"]), ("students.1", [])]
    kernels = [model.get_parameter(f"students.{i}.conv2.weight") for i in range(3)]
    assert torch.equal(kernels[0], network(CNN, (3, 8, 8), 7, seed=42).get_parameter("conv2.weight"))
    assert torch.equal(kernels[1], network(CNN, (3, 8, 8), 10, seed=5).get_parameter("conv2.weight"))
    assert not torch.equal(kernels[2], kernels[0])


def test_weights_of_a_part_are_found(recipe: Make, digits: Dataset, tmp_path: Path) -> None:
    tensor_file.write(tmp_path / "w.safetensors", dict(network(CNN).state_dict()))
    begun = CNN | {"weights": str(tmp_path / "w.safetensors")}
    for tree in ({"name": "ensemble", "members": 2, "of": begun}, {"name": "routed", "students": [CNN, begun]}):
        assert set(digests(recipe(tree), digits)) == {digest(tmp_path / "w.safetensors")}
    broken = {"name": "routed", "students": [CNN, CNN | {"weights": "nowhere.pth"}]}
    ((path, said),) = complaints(recipe(broken), digits)
    assert (path, said) == ("student.model.weights", "students.1: nowhere.pth: no such file")


def test_a_student_starts_from_weights_and_trains(
    recipe: Make, run: Run, labels: DistillationData, tmp_path: Path
) -> None:
    first = run(recipe(CNN, epochs=4), labels)[-1]
    path = tmp_path / "taught.safetensors"
    tensor_file.write(path, first.state.weights)
    wanted = recipe(CNN | {"weights": str(path)}, epochs=1, lr=1e-5, seed=3)
    (warm,), (cold, *_) = run(wanted, labels), run(recipe(CNN, epochs=1, lr=1e-5, seed=3), labels)
    assert warm.val_accuracy > 0.9 > cold.val_accuracy
    assert not torch.equal(warm.state.weights["conv2.weight"], first.state.weights["conv2.weight"])


def test_whoever_goes_on_needs_the_file_no_more(
    recipe: Make, run: Run, same: Callable[..., bool], labels: DistillationData, file: Path
) -> None:
    wanted = recipe(CNN | {"weights": str(file)}, epochs=3)
    first, *rest = run(wanted, labels)
    file.unlink()
    assert same(run(wanted, labels, first.state), rest)
    with pytest.raises(UserError, match=f"model.weights: {file}: no such file"):
        next(fit(wanted, labels))


def test_a_teacher_that_starts_from_weights_is_taught(kd_cache: Path, pupil: Make, digits: Dataset, file: Path) -> None:
    wanted = pupil(model=CNN | {"weights": str(file)})
    *epochs, taught = teach(wanted, digits)
    assert isinstance(taught, TeacherResult) and len(epochs) == 4
    (told,) = taught.record["weights"]
    assert told == {"part": "", "file": file.name, "sha256": digest(file), "renewed": ["conv1", "logits"]}
    (again,) = teach(wanted, digits)
    assert isinstance(again, TeacherResult) and again.record["weights"] == [told]


def test_a_teacher_without_epochs_is_what_it_starts_from(
    kd_cache: Path, pupil: Make, digits: Dataset, tmp_path: Path
) -> None:
    tensor_file.write(tmp_path / "w.safetensors", dict(network(CNN, seed=7).state_dict()))
    started = pupil(model=CNN | {"weights": str(tmp_path / "w.safetensors")}, train={"epochs": 0})
    as_is = pupil(model=CNN, weights=str(tmp_path / "w.safetensors"))
    (one,), (other,) = teach(started, digits), teach(as_is, digits)
    assert isinstance(one, TeacherResult) and isinstance(other, TeacherResult)
    assert one.lesson.teacher is not None and other.lesson.teacher is not None
    assert (one.lesson.teacher.val == other.lesson.teacher.val).all()


def test_the_key_follows_the_content_of_the_file(pupil: Make, digits: Dataset, file: Path, tmp_path: Path) -> None:
    wanted = pupil(model=CNN | {"weights": str(file)})
    first = key(wanted, digits)
    assert digests(wanted.teacher_recipe(), digits) == [digest(file)] and digests(wanted, digits) == []
    tensor_file.write(file, dict(network(CNN, (3, 8, 8), 7, seed=1).state_dict()))
    assert key(wanted, digits) != first != key(pupil(model=CNN), digits)


def test_a_teacher_has_one_kind_of_weights(pupil: Make) -> None:
    with pytest.raises(ValueError, match=r"teacher is read whole from teacher\.weights"):
        pupil(model=CNN | {"weights": "a.pth"}, weights="b.pth")


def test_weights_count_in_the_key_of_a_recipe(recipe: Make) -> None:
    assert recipe(CNN).key() == recipe(CNN | {"weights": None}).key() != recipe(CNN | {"weights": "a.pth"}).key()


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/weights is not here")
def test_the_real_file_of_torchvision_starts_a_student() -> None:
    tree = {"name": "squeezenet", "weights": str(REAL)}
    model = network(tree, (3, 64, 64), 10)
    (told,) = begin(model)
    assert told.renewed == ["classifier.1"]
    file = torch.load(REAL, weights_only=True)
    assert all(torch.equal(v, file[k]) for k, v in model.state_dict().items() if not k.startswith("classifier"))
    (small,) = begin(network(tree | {"stem": "small"}, (1, 28, 28), 10))
    assert small.renewed == ["classifier.1", "features.0"]


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/weights is not here")
def test_the_real_file_knows_a_temple() -> None:
    """Images are normalized as these weights expect: without it the answer is a fifth as sure."""
    model = network({"name": "squeezenet", "weights": str(REAL)}, (3, 224, 224), 1000).eval()
    assert begin(model)[0].renewed == []
    photograph = Image.fromarray(load_sample_image("china.jpg")).resize((224, 224))
    images = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)[None]
    assert model(prepare(images)).softmax(1)[0, BELL_COTE] > 0.4
