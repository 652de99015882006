"""Every kind of network of the registry is exported, and its ONNX file quantized; --int8 measures the result."""

from __future__ import annotations

import json
from typing import Any

import onnx
import pytest
import torch
from onnxruntime.quantization import quantize_dynamic

from results.export import export, model_files
from results.export.int8 import write_int8
from spaces.errors import UserError
from spaces.parts import Model
from trainables.evaluate import predict_logits
from trainables.models import MODELS, build_network
from trainables.models.build import FILE_NETWORKS

SHAPE, CLASSES = (3, 32, 32), 10
MLP = {"name": "mlp", "hidden": [16]}
# The smallest configuration of each network.
KNOBS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [16]},
    "plain_cnn": {"normalize": "imagenet"},
    "resnet_cifar": {"depth": 8},
    "timm": {"arch": "test_efficientnet"},
    "ensemble": {"members": 2, "of": MLP},
    "routed": {"students": [MLP, MLP]},
    "resnet18": {"stem": "small"},
    **{name: {} for name in ("cnn", "mobilenet_v2", "shufflenet_v2", "squeezenet")},
}
# Larger networks of the layers above; their exports take half a minute of processor time together.
ALIKE = {"cnn3", "vgg16", "resnet34", "resnet50", "densenet121", "googlenet"}
QUICK = {"mlp", "plain_cnn", "resnet_cifar", "routed"}
SMALL_PART = 0.1  # of the largest logit, on average: a routed image may take another student


def test_the_walk_is_complete() -> None:
    assert KNOBS.keys() | ALIKE | FILE_NETWORKS == MODELS.keys() - {"transformers"}  # which --check exports


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in KNOBS]
)
def test_both_quantizers_of_onnxruntime_work(name, tmp_path, request) -> None:
    """The exporter's recorded shapes contradicted its weights, and shape inference failed."""
    if name == "timm":
        request.getfixturevalue("timm_installed")
    model = build_network(Model.model_validate({"name": name, **KNOBS[name]}), SHAPE, CLASSES, 1).eval()
    file = tmp_path / model_files.ONNX
    file.write_bytes(model_files.onnx_bytes(model, SHAPE, ["a", "b"]))
    images = torch.randint(0, 256, (33, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = predict_logits(model, images)
    torch.testing.assert_close(model_files.run_onnx(file, images), expected, rtol=1e-3, atol=1e-4)
    quantize_dynamic(file, tmp_path / "dynamic.onnx")
    write_int8(file, tmp_path / "static.onnx", images)
    errors = {}
    for quantized in ("dynamic.onnx", "static.onnx"):
        logits = model_files.run_onnx(tmp_path / quantized, images)
        errors[quantized] = ((logits - expected).abs().mean() / expected.abs().max()).item()
    assert max(errors.values()) < SMALL_PART, errors
    assert (tmp_path / "static.onnx").stat().st_size < 0.7 * file.stat().st_size
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "static.onnx").metadata_props}
    assert json.loads(properties["classes"]) == ["a", "b"]


def test_an_export_in_8_bits_is_measured_beside_the_float_file(copy) -> None:
    (folder,) = export(copy, int8=True)
    card = (folder / "card.md").read_text()
    assert "In 8 bits (student-int8.onnx), test accuracy " in card and "measured on 256 training images" in card
    assert "| this student, 8 bits | 0." in card
    (again,) = export(copy)  # an export with optional files is replaced
    assert not (again / "student-int8.onnx").exists()


def test_without_images_there_is_no_8_bit_file(copy, record_mnist, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KD_DATA", str(tmp_path / "nothing"))
    record_mnist(copy, [1, 8, 8])
    with pytest.raises(UserError, match="--int8: needs training images to measure activations: mnist"):
        export(copy, int8=True)
