"""Files that do not reproduce training are not exported."""

from __future__ import annotations

import pytest
import torch

from results import paths
from results.export import export, model_files
from spaces.errors import UserError
from trainables.models import build_network
from trainables.weights import tensor_file


def test_altered_weights_are_refused_and_nothing_is_left(copy, best):
    trial, _ = best(copy)
    tensors, note = tensor_file.read_tensors(paths.weights_file(copy, trial))
    scaled = {name: 1.5 * value for name, value in tensors.items()}
    tensor_file.write_tensors(paths.weights_file(copy, trial), scaled, note)
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(UserError, match=r"test (accuracy|loss) .* was recorded in training"):
        export(copy)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_weights_of_another_model_and_damaged_files_are_refused(copy, best):
    trial, _ = best(copy)
    file = paths.weights_file(copy, trial)
    tensor_file.write_tensors(file, {"logits.bias": torch.zeros(3)})
    with pytest.raises(UserError, match="does not match the model of its recipe"):
        export(copy)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        export(copy)


@pytest.mark.parametrize("name", ["student.safetensors", "student.onnx"])
def test_a_file_with_other_logits_is_not_exported(copy, monkeypatch, name, best):
    def damaged(model, *rest):
        worse = build_network(best(copy)[1].student.model, (1, 8, 8), 10, seed=99).eval()
        return genuine(worse if name == "student.onnx" else model, *rest)

    genuine, written = model_files.onnx_bytes, tensor_file.write_tensors
    monkeypatch.setattr(model_files, "onnx_bytes", damaged)
    if name == "student.safetensors":
        zero = lambda path, tensors, note: written(path, {k: 0 * v for k, v in tensors.items()}, note)  # noqa: E731
        monkeypatch.setattr(tensor_file, "write_tensors", zero)
    with pytest.raises(UserError, match=rf"{name}: a logit differs by .* from the trained model"):
        export(copy)
    assert not (copy / "export").exists()
