"""The exported files, which reproduce the trained model."""

from __future__ import annotations

import json
import re
import shutil
import zipfile

import numpy
import onnx
import onnxruntime
import pytest
import torch

from results.export import model_files
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables.evaluate import predict_logits
from trainables.weights import tensor_file


def test_these_files_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == model_files.NAMES | {model_files.PROGRAM}
    assert [path.name for path in exported.parent.iterdir()] == ["best"]


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_reproduces_the_logits(trained, exported, batch, tmp_path, reference):
    copy = shutil.copy(exported / "student.onnx", tmp_path)  # no other file is needed
    session = onnxruntime.InferenceSession(copy, providers=["CPUExecutionProvider"])
    images = torch.from_numpy(datasets.load_dataset("digits").test.images[:batch])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    assert logits.dtype == numpy.float32
    numpy.testing.assert_allclose(logits, reference(trained, images), rtol=1e-4, atol=1e-4)


def test_the_program_runs_in_plain_pytorch(trained, exported, tmp_path, reference, python):
    """Without this project: the interpreter starts in another folder and may not import it."""
    images = torch.from_numpy(datasets.load_dataset("digits").test.images[:7])
    torch.save(images, tmp_path / "images.pt")
    script = f"""
import sys, torch
extra = {{"classes.json": "", "depth": ""}}
program = torch.export.load({str(exported / "student.pt2")!r}, extra_files=extra).module()
logits = torch.cat([program(batch) for batch in torch.load("images.pt").split([1, 6])])
assert not {{"trainables", "results", "spaces"}} & sys.modules.keys()
torch.save(logits.detach(), "logits.pt")
print(extra["classes.json"], extra["depth"], sep="\\n")
"""
    done = python("-c", script, cwd=tmp_path)
    classes, depth = done.stdout.splitlines() or [done.stderr, ""]
    assert (json.loads(classes), depth) == (list("0123456789"), "16")
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), reference(trained, images), rtol=1e-4, atol=1e-4)
    with zipfile.ZipFile(exported / "student.pt2") as archive:
        assert not any(re.search(rb"/(model_files|mlp|build)\.py", archive.read(name)) for name in archive.namelist())


def test_onnx_is_valid_and_contains_no_paths(exported):
    proto = onnx.load(exported / "student.onnx", load_external_data=False)
    onnx.checker.check_model(proto, full_check=True)
    (images,) = proto.graph.input
    shape = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, shape) == ("images", ["batch", 1, 8, 8])
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    assert b"/files.py" not in (exported / "student.onnx").read_bytes()


def test_safetensors_reproduce_the_logits(trained, exported, best, reference):
    images = torch.from_numpy(datasets.load_dataset("digits").test.images)
    _, recipe = best(trained)
    model = model_files.load_student(exported / "student.safetensors", recipe, (1, 8, 8), 10)
    assert torch.equal(predict_logits(model, images), reference(trained, images))
    assert Recipe.model_validate_json(tensor_file.read_tensors(exported / "student.safetensors")[1]["recipe"]) == recipe


def test_onnx_metadata_describe_images_and_classes(exported):
    session = onnxruntime.InferenceSession(exported / "student.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list("0123456789")
    assert metadata["images"].startswith("uint8 [batch, 1, 8, 8]: gray levels from 0 to 255")


@pytest.mark.parametrize(("channels", "colors"), [(1, "gray levels"), (3, "red, green and blue"), (4, "4 channels")])
def test_colors_are_described(channels, colors):
    assert f"uint8 [batch, {channels}, 5, 7]: {colors} from 0" in model_files.describe_images((channels, 5, 7))
