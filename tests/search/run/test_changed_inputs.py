"""Everything that decides a result is recorded once; a run with another input is refused and names it.

The list is docs/explanation/identity.md. Each test changes one entry.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy
import onnx
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

from results import paths, records
from search.identity import experiment_identity, record_identity
from spaces.errors import UserError
from spaces.parts import Model
from spaces.space import load_space
from trainables.models import MODELS, build_network
from trainables.weights import tensor_file

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Folder of 84 images in three classes: cats, dogs and emus."""
    digits, folder = load_digits(), tmp_path / "photos"
    for label, name in enumerate(("cats", "dogs", "emus")):
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(digits.images[digits.target == label][:28]):
            Image.fromarray((image * 15).astype("uint8")).save(folder / name / f"{number:03}.png")
    return folder


@pytest.fixture
def begun(command: Command, tmp_path: Path) -> Callable[..., Callable[..., str]]:
    """Return a function that begins an experiment, and returns one that begins it again.

    The second returns the error message, or "" if the experiment would go on.
    """

    def begin(space: Path, *flags: object) -> Callable[..., str]:
        out = tmp_path / "run"

        def again(*more: object) -> str:
            try:
                code, _, error = command(space, "--out", out, *flags, *more)
            except TypeError:  # Ray would start now
                return ""
            assert code == 2 and len(error.splitlines()) == 1
            return error

        assert again() == ""
        assert again() == ""  # the same inputs are accepted
        return again

    return begin


@pytest.fixture
def photo_space(write, tmp_path: Path, photos: Path) -> Path:
    parts = {"data": {"name": "folder", "path": str(photos), "size": 8}, "train": {"epochs": 1, "batch_size": 16}}
    teacher = {"model": {"name": "mlp", "hidden": [8]}, "train": {"epochs": 1, "batch_size": 16}}
    return write(tmp_path / "x.yaml", teacher=teacher, **parts)


def test_images_added_moved_or_repainted(begun, photo_space, photos):
    """Case 13: one mean over students of two data sets."""
    again = begun(photo_space)
    shutil.copy(photos / "dogs" / "000.png", photos / "dogs" / "100.png")
    assert "the data changed (85 images, were 84, class dogs has 29 images, had 28); run with --fresh" in again()
    assert "85 images, were 84" in again("--check")
    (photos / "dogs" / "100.png").rename(photos / "cats" / "100.png")
    assert "class cats has 29 images, had 28" in again()
    (photos / "cats" / "100.png").unlink()
    assert again() == ""
    shutil.copy(photos / "dogs" / "000.png", photos / "dogs" / "001.png")
    assert "the data changed (other pixels or labels, in as many images of each class)" in again()
    assert records.read_identity(photos.parent / "run")["data"]["classes"] == {"cats": 28, "dogs": 28, "emus": 28}


def test_a_class_renamed_or_removed(begun, photo_space, photos):
    again = begun(photo_space)
    (photos / "dogs").rename(photos / "wolves")
    assert "the data changed (class dogs is gone, class wolves is new)" in again()
    shutil.rmtree(photos / "wolves")
    assert "the data changed (56 images, were 84, class dogs is gone)" in again()
    assert again("--fresh") == ""


def test_an_experiment_of_an_earlier_version_goes_on_with_its_data(begun, photo_space, photos):
    """It has no identity.json, but the sizes and classes in environment.json."""
    again = begun(photo_space)
    identity = paths.identity_file(photos.parent / "run")
    recorded = identity.read_text()
    identity.unlink()
    (photos / "dogs").rename(photos / "wolves")
    assert "class dogs is gone, class wolves is new" in again()
    (photos / "wolves").rename(photos / "dogs")
    assert again() == "" and identity.read_text() == recorded


def test_another_version_of_the_training_code(begun, write, tmp_path, monkeypatch):
    again = begun(write(tmp_path / "x.yaml"))
    monkeypatch.setattr("search.identity.TRAINING_VERSION", 99)
    assert "the training code has version 99, had " in again()


def test_another_version_of_a_method_in_use(begun, write, tmp_path, monkeypatch):
    again = begun(write(tmp_path / "x.yaml"))
    monkeypatch.setattr("trainables.teachers.key.PART_VERSIONS", {"contrastive": 7})
    assert again() == ""
    monkeypatch.setattr("trainables.teachers.key.PART_VERSIONS", {"hinton": 7})
    assert "the code of hinton has version 7, had 0" in again()


def test_a_changed_module_or_network_beside_a_plugin(begun, write, tmp_path):
    """It is imported or opened by the plugin, from a folder that is not the working directory."""
    (tmp_path / "own").mkdir()
    files = {
        "mine.py": "from pathlib import Path\nimport scales\nNET = (Path(__file__).parent / 'net.onnx').read_bytes()",
        "scales.py": "SCALE = 1",
        "net.onnx": "1",
    }
    for name, text in files.items():
        (tmp_path / "own" / name).write_text(text)
    again = begun(write(tmp_path / "x.yaml"), "--plugin", tmp_path / "own" / "mine.py")
    for name, text in files.items():
        (tmp_path / "own" / name).write_text(f"{text}\n")
        assert f"run: plugin file {name} changed; run with --fresh" in again()
        (tmp_path / "own" / name).write_text(text)
    assert paths.plugin_file(tmp_path / "run", "net.onnx").read_text() == "1"


def write_onnx(file: Path) -> None:
    """Write a linear classifier of digits as ONNX, with its weights in a file beside it."""
    weights = numpy.eye(64, 10, dtype=numpy.float32)
    nodes = [
        onnx.helper.make_node("Flatten", ["images"], ["pixels"]),
        onnx.helper.make_node("MatMul", ["pixels", "weights"], ["logits"]),
    ]
    images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])
    logits = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 10])
    graph = onnx.helper.make_graph(
        [*nodes], "linear", [images], [logits], [onnx.numpy_helper.from_array(weights, "weights")]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save_model(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)


def classifier(shape: tuple[int, int, int], classes: int, *, path: str) -> nn.Module:
    """Network with a folder, as those of transformers, a package that may be missing."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def test_every_file_that_the_space_names(begun, write, tmp_path, monkeypatch, digits):
    """Weights of the student, an ONNX teacher and its weights, recorded logits, a folder of Hugging Face."""
    monkeypatch.setitem(MODELS, "classifier", classifier)
    network = {"name": "mlp", "hidden": [8]}
    student, exported, logits, folder = (tmp_path / name for name in ("student.safetensors", "t.onnx", "t.npz", "hf"))
    tensor_file.write_tensors(student, build_network(Model.model_validate(network), digits.shape, 10).state_dict())
    write_onnx(exported)
    recorded = numpy.zeros((sum(len(split.labels) for split in digits[:3]), 10), numpy.float32)
    numpy.savez(logits, logits=recorded, images=digits.fingerprint(), classes=digits.classes)
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(name)
    teachers = [
        {"onnx": str(exported)},
        {"logits": str(logits)},
        {"model": {"name": "classifier", "path": str(folder)}, "train": {"epochs": 1}},
    ]
    space = write(
        tmp_path / "x.yaml",
        student={"model": {**network, "weights": str(student)}},
        teacher={"choice": teachers},
        method={"name": "hinton", "alpha": 0.5, "temperature": 4},
    )
    again = begun(space)

    def refused(file: Path, content: bytes) -> str:
        before = file.read_bytes() if file.exists() else None
        file.write_bytes(content)
        message = again()
        file.unlink() if before is None else file.write_bytes(before)
        return message

    model = build_network(Model.model_validate(network), digits.shape, 10, 1)
    assert f"{student} changed (sha256 " in refused(student, tensor_file.serialize_tensors(dict(model.state_dict())))
    assert f"{exported} changed (sha256 " in refused(exported, exported.read_bytes() + b"\x12\x01x")  # a producer
    weights = tmp_path / "weights.bin"
    assert f"{weights} changed (sha256 " in refused(weights, weights.read_bytes()[::-1])
    content = io.BytesIO()
    numpy.savez(content, logits=recorded + 1, images=digits.fingerprint(), classes=digits.classes)
    assert f"{logits} changed (sha256 " in refused(logits, content.getvalue())
    assert f"{folder}/model.safetensors changed (sha256 " in refused(folder / "model.safetensors", b"1")
    assert f"{folder}/ has other files, or files of other names; run with" in refused(
        folder / "adapter.safetensors", b"1"
    )
    assert again() == ""


def test_weights_published_later(write, tmp_path, monkeypatch, digits):
    """A later version of torchvision may publish another file for the same network."""
    files = [tmp_path / name for name in ("squeezenet1_0-1.pth", "squeezenet1_0-2.pth")]
    for number, file in enumerate(files):
        file.write_text(str(number))
    network = {"name": "squeezenet", "weights": "imagenet", "resize": 32}
    space = load_space(write(tmp_path / "x.yaml", student={"model": network}))
    identities = []
    for file in files:
        monkeypatch.setattr("trainables.weights.published.published_file", lambda _, file=file: file)
        identities.append(experiment_identity(space, digits, {}))
    record_identity(tmp_path / "run", identities[0])
    records.write_file(paths.space_file(tmp_path / "run"), space.dump())
    with pytest.raises(UserError, match=r"run: imagenet weights of squeezenet1_0 changed \(sha256 "):
        record_identity(tmp_path / "run", identities[1])


def test_a_changed_weights_file(begun, write, tmp_path, digits):
    """Of the teacher, by its content and not its name."""
    weights = tmp_path / "teacher.safetensors"
    network = {"name": "mlp", "hidden": [8]}
    space = write(tmp_path / "x.yaml", teacher={"model": network, "weights": str(weights)})
    for seed in (0, 1):
        model = build_network(Model.model_validate(network), digits.shape, 10, seed)
        tensor_file.write_tensors(weights, model.state_dict())
        if not seed:
            again = begun(space)
    assert f"{weights} changed (sha256 " in again()
