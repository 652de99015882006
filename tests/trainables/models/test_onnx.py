"""Networks in ONNX files, as teachers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.named_files import named_file_digests
from trainables.teachers.key import teacher_key
from trainables.teachers.train import train_teacher
from trainables.validate import data_problems


class Network(nn.Module):
    """Two linear layers on images of 8 × 8; the ends differ between files."""

    def __init__(self, outputs: int = 10, channels_last: bool = False, softmax: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, outputs))
        self.channels_last, self.softmax = channels_last, softmax

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = images.permute(0, 3, 1, 2) if self.channels_last else images
        logits = self.layers(images.float())
        return logits.softmax(-1) if self.softmax else logits


@pytest.fixture
def save(tmp_path):
    """Write a network as ONNX and return its file."""

    def saved(network: nn.Module, shape=(2, 1, 8, 8), dtype=torch.float32, *, batch: bool = True):
        file = tmp_path / "teacher.onnx"
        buffer = io.BytesIO()
        axes = {"images": {0: "batch"}, "logits": {0: "batch"}} if batch else None
        torch.onnx.export(
            network.eval(), (torch.zeros(shape, dtype=dtype),), buffer,
            input_names=["images"], output_names=["logits"], dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
        file.write_bytes(buffer.getvalue())
        return file

    return saved


def built(file, **keys: Any) -> nn.Module:
    return build_network(Model.model_validate({"name": "onnx", "file": str(file), **keys}), (1, 8, 8), 10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestFiles:
    def test_an_onnx_file_is_a_teacher(self, kd_cache, save, distilled_recipe, digits):
        network = Network()
        file = save(network)
        recipe = distilled_recipe()
        tree = {**recipe.model_dump(), "teacher": {"onnx": str(file)}}
        recipe = recipe.model_validate(tree)
        assert recipe.teacher.train.epochs == 0 and list(data_problems(recipe, digits)) == []
        for cached in (False, True):
            (result,) = train_teacher(recipe, digits)
            expected = predict_logits(network, torch.tensor(digits.val.images)).numpy()
            np.testing.assert_allclose(result.outputs.val, expected, rtol=1e-4, atol=1e-4)
            assert result.record["cached"] is cached and result.record["latency_ms"] > 0
            assert (result.record["parameters"], result.record["macs"]) == (64 * 8 + 8 + 8 * 10 + 10, None)
        key = teacher_key(recipe, digits)
        file.write_bytes(file.read_bytes() + b"\x12\x01x")  # another producer's name
        assert teacher_key(recipe, digits) != key

    @pytest.mark.parametrize(
        ("network", "shape", "dtype", "batch"),
        [
            (Network(), (4, 1, 8, 8), torch.float32, False),
            (Network(channels_last=True), (2, 8, 8, 1), torch.float32, True),
            (Network(softmax=True), (2, 1, 8, 8), torch.float32, True),
            (Network(), (2, 1, 8, 8), torch.uint8, True),
        ],
        ids=["fixed batch", "channels last", "probabilities", "uint8"],
    )
    def test_inputs_and_outputs_of_other_kinds(self, save, network, shape, dtype, batch):
        images = torch.randint(0, 256, (7, 1, 8, 8)).float() / 255
        expected = network.layers(images * 255 if dtype == torch.uint8 else images)
        logits = built(save(network, shape, dtype, batch=batch))(images)
        torch.testing.assert_close(logits.log_softmax(-1), expected.log_softmax(-1), rtol=1e-4, atol=1e-4)

    def test_images_are_prepared_as_for_other_networks(self, save):
        network = Network()
        images = torch.rand(3, 1, 8, 8)
        logits = built(save(network), normalize={"mean": [0.5], "std": [0.25]})(images)
        torch.testing.assert_close(logits, network((images - 0.5) / 0.25), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize(
        ("network", "shape", "keys", "message"),
        [
            (Network(7), (2, 1, 8, 8), {}, r"returns logits \[any, 7\], expected logits \[batch, 10\]"),
            (nn.Flatten(), (2, 1, 8, 8), {}, r"returns logits \[any, 64\], expected"),
            (nn.Identity(), (2, 1, 8, 8), {}, r"returns logits \[any, 1, 8, 8\], expected"),
            (Network(), (2, 1, 8, 8), {"resize": 16}, r"\[any, 1, 8, 8\], expected \[batch, 1, 16, 16\].*resize: 8"),
            (nn.Flatten(), (2, 64), {}, r"takes inputs \[any, 64\], expected \[batch, 1, 8, 8\]"),
        ],
        ids=["classes", "features", "rank", "size", "flat"],
    )  # fmt: skip
    def test_a_misfit_is_one_line(self, save, network, shape, keys, message):
        with pytest.raises(UserError, match=message) as caught:
            built(save(network, shape), **keys)
        assert "\n" not in str(caught.value)

    def test_a_uint8_network_prepares_its_images_itself(self, save, distilled_recipe, digits):
        file, recipe = save(Network(), dtype=torch.uint8), distilled_recipe()
        teacher = {"onnx": str(file), "model": {"normalize": {"mean": [0.3], "std": [0.3]}}}
        recipe = recipe.model_validate({**recipe.model_dump(), "teacher": teacher})
        ((path, message),) = data_problems(recipe, digits)
        assert path == "teacher.model.normalize" and message.startswith("the network in the file takes uint8 images")

    def test_a_method_of_layers_is_refused(self, save, distilled_recipe, digits):
        recipe, method = distilled_recipe(), {"name": "similarity", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}
        tree = {**recipe.model_dump(), "teacher": {"onnx": str(save(Network()))}, "method": method}
        ((path, message),) = data_problems(recipe.model_validate(tree), digits)
        assert path == "method.hint" and message.startswith("the network onnx has no layers to observe")

    def test_classes_in_another_order_are_refused(self, save, distilled_recipe, digits):
        file, recipe = save(Network()), distilled_recipe()
        model = onnx.load(str(file))
        entry = model.metadata_props.add()
        entry.key, entry.value = "classes", '["1","0","2","3","4","5","6","7","8","9"]'
        onnx.save(model, str(file))
        ((path, message),) = data_problems(
            recipe.model_validate({**recipe.model_dump(), "teacher": {"onnx": str(file)}}), digits
        )
        assert path == "teacher.model" and "the outputs are 1, 0, 2" in message

    def test_weights_beside_the_file_are_part_of_its_identity(self, save, tmp_path):
        model = onnx.load(str(save(Network())))
        file = str(tmp_path / "large.onnx")
        onnx.save(model, file, save_as_external_data=True, location="large.data", size_threshold=0)
        digests = named_file_digests({"file": file})
        assert set(digests) == {file, str(tmp_path / "large.data")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"<html>404</html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"no model at all", "not an ONNX model that can be run"),
    ],
)
def test_a_wrong_file_is_named_by_its_kind(tmp_path, content, message):
    (tmp_path / "teacher.onnx").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        built(tmp_path / "teacher.onnx")
    assert "\n" not in str(caught.value)
