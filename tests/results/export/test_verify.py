"""Files that do not give what was trained and recorded are not exported."""

from __future__ import annotations

import pytest
import torch

from results import records
from results.export import export, files
from spaces.errors import UserError
from trainables.models import build
from trainables.weights import tensor_file


def test_altered_weights_are_refused_and_nothing_is_left(copy, best):
    trial, _ = best(copy)
    tensors, note = tensor_file.read(records.weights_file(copy, trial))
    tensor_file.write(records.weights_file(copy, trial), {name: 1.5 * value for name, value in tensors.items()}, note)
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(UserError, match=r"test (accuracy|loss) .* was recorded when it was trained"):
        export(copy)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_weights_of_another_model_or_damaged_are_refused(copy, best):
    trial, _ = best(copy)
    file = records.weights_file(copy, trial)
    tensor_file.write(file, {"logits.bias": torch.zeros(3)})
    with pytest.raises(UserError, match="does not fit the model of its recipe"):
        export(copy)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        export(copy)


@pytest.mark.parametrize("name", ["student.safetensors", "student.onnx"])
def test_a_file_that_gives_other_logits_is_not_exported(copy, monkeypatch, name, best):
    def spoilt(model, *rest):
        worse = build(best(copy)[1].student.model, (1, 8, 8), 10, seed=99).eval()
        return genuine(worse if name == "student.onnx" else model, *rest)

    genuine, written = files.onnx_bytes, tensor_file.write
    monkeypatch.setattr(files, "onnx_bytes", spoilt)
    if name == "student.safetensors":
        zero = lambda path, tensors, note: written(path, {k: 0 * v for k, v in tensors.items()}, note)  # noqa: E731
        monkeypatch.setattr(tensor_file, "write", zero)
    with pytest.raises(UserError, match=rf"{name}: a logit is .* off the trained model's"):
        export(copy)
    assert not (copy / "export").exists()
