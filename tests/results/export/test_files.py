"""Four files that stand alone and give what was trained."""

from __future__ import annotations

import json
import shutil

import numpy
import onnx
import onnxruntime
import pytest
import torch

from results.export import files
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables.evaluate import predict
from trainables.weights import tensor_file


def test_four_files_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == files.NAMES
    assert [path.name for path in exported.parent.iterdir()] == ["best"]


@pytest.mark.parametrize("batch", [1, 7])
def test_onnx_gives_the_logits_of_the_trained_model(trained, exported, batch, tmp_path, reference):
    alone = shutil.copy(exported / "student.onnx", tmp_path)  # no other file is needed
    session = onnxruntime.InferenceSession(alone, providers=["CPUExecutionProvider"])
    images = torch.from_numpy(datasets.load("digits").test.images[:batch])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    assert logits.dtype == numpy.float32
    numpy.testing.assert_allclose(logits, reference(trained, images), rtol=1e-4, atol=1e-4)


def test_onnx_is_valid_and_tells_nothing_of_this_machine(exported):
    proto = onnx.load(exported / "student.onnx", load_external_data=False)
    onnx.checker.check_model(proto, full_check=True)
    (images,) = proto.graph.input
    shape = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, shape) == ("images", ["batch", 1, 8, 8])
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert not any(tensor.external_data for tensor in proto.graph.initializer)
    assert b"/files.py" not in (exported / "student.onnx").read_bytes()


def test_safetensors_give_the_logits_of_the_trained_model(trained, exported, best, reference):
    images = torch.from_numpy(datasets.load("digits").test.images)
    _, recipe = best(trained)
    model = files.model(exported / "student.safetensors", recipe, (1, 8, 8), 10)
    assert torch.equal(predict(model, images), reference(trained, images))
    assert Recipe.model_validate_json(tensor_file.read(exported / "student.safetensors")[1]["recipe"]) == recipe


def test_onnx_says_what_it_takes_and_what_it_answers(exported):
    session = onnxruntime.InferenceSession(exported / "student.onnx", providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == list("0123456789")
    assert said["images"].startswith("uint8 [batch, 1, 8, 8]: grey levels from 0 to 255")


@pytest.mark.parametrize(("channels", "said"), [(1, "grey levels"), (3, "red, green and blue"), (4, "4 channels")])
def test_colors_are_told(channels, said):
    assert f"uint8 [batch, {channels}, 5, 7]: {said} from 0" in files.images((channels, 5, 7))
