"""Python code on a card: three ways to load the student."""

LOAD = """\
```python
from pathlib import Path

import torch

from spaces.space import load_space{imports}
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.weights.weights_file import read_weights
{register}
recipe = load_space("recipe.yaml").fill({{}}, seed={seed}, teacher_seed={teacher_seed})
model = build_network(recipe.network, shape={shape}, classes={classes})
model.load_state_dict(read_weights(Path("student.safetensors")))
images = {torch_inputs}
logits = predict_logits(model, images)
print(logits.argmax(-1))
```"""

ONNX = """\
```python
import json

import numpy
import onnxruntime

session = onnxruntime.InferenceSession("student.onnx", providers=["CPUExecutionProvider"])
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
images = {numpy_inputs}
(logits,) = session.run(["logits"], {{"images": images}})
print([classes[index] for index in logits.argmax(-1)])
```"""

PROGRAM = """\
```python
import torch

program = torch.export.load("student.pt2").module()
images = {torch_inputs}
with torch.no_grad():
    print(program(images).argmax(-1))
```"""

# Code of random inputs in the card: images, and other inputs.
TORCH_INPUTS = ("torch.randint(0, 256, (7, *{shape}), dtype=torch.uint8)", "torch.randn(7, *{shape})")
NUMPY_INPUTS = (
    "numpy.random.default_rng(0).integers(0, 256, (7, *{shape}), dtype=numpy.uint8)",
    'numpy.random.default_rng(0).normal(size=(7, *{shape})).astype("float32")',
)
