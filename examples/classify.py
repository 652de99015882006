"""`python examples/classify.py EXPORT[/FILE.onnx] IMAGE …`: classify images with onnxruntime, Pillow and NumPy only."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy
import onnxruntime

export, *files = map(Path, sys.argv[1:])
folder, network = (export.parent, export) if export.suffix == ".onnx" else (export, export / "student.onnx")
sys.path.insert(0, str(folder))
from read_image import read_image  # noqa: E402 (the exported reader of images)

student = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
metadata = student.get_modelmeta().custom_metadata_map
_, channels, height, width = student.get_inputs()[0].shape
for file in files:
    image = read_image(file, height, width, channels, int(metadata["depth"]))
    (logits,) = student.run(["logits"], {"images": image[None]})
    scores = numpy.exp(logits[0] - logits[0].max())
    best = scores.argmax()
    print(f"{file}: {json.loads(metadata['classes'])[best]} ({scores[best] / scores.sum():.1%})")
