"""Every exported ONNX file can be quantized; --int8 measures the result."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from onnxruntime.quantization import quantize_dynamic

from results.export import export, model_files
from results.export.int8 import write_int8
from spaces.errors import UserError
from spaces.parts import Model
from trainables.models import build_network

SHAPE = (3, 16, 16)
NETWORKS = [
    {"name": "mlp", "hidden": [16]},
    {"name": "plain_cnn", "normalize": "imagenet"},
    {"name": "resnet_cifar", "depth": 8},
]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network["name"])
def network(request, tmp_path_factory) -> Path:
    model = build_network(Model.model_validate(request.param), SHAPE, 10, 1).eval()
    path = tmp_path_factory.mktemp("onnx") / model_files.ONNX
    path.write_bytes(model_files.onnx_bytes(model, SHAPE, ["a", "b"]))
    return path


def test_both_quantizers_of_onnxruntime_work(network, tmp_path) -> None:
    """The exporter's recorded shapes contradicted its weights, and shape inference failed."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (65, *SHAPE), dtype=torch.uint8, generator=generator)
    expected = model_files.run_onnx(network, images)
    quantize_dynamic(network, tmp_path / "dynamic.onnx")
    write_int8(network, tmp_path / "static.onnx", images)
    for name in ("dynamic.onnx", "static.onnx"):
        logits = model_files.run_onnx(tmp_path / name, images)
        assert (logits - expected).abs().max() < 0.25 * expected.abs().max()
    assert (tmp_path / "static.onnx").stat().st_size < 0.7 * network.stat().st_size
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
