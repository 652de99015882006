"""`python examples/classify.py EXPORT IMAGE …`: classify images with onnxruntime, Pillow and NumPy only."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy
import onnxruntime
from PIL import Image, ImageOps

folder, *files = map(Path, sys.argv[1:])
student = onnxruntime.InferenceSession(folder / "student.onnx", providers=["CPUExecutionProvider"])
classes = json.loads(student.get_modelmeta().custom_metadata_map["classes"])
_, channels, height, width = student.get_inputs()[0].shape
for file in files:
    upright = ImageOps.exif_transpose(Image.open(file)).convert("L" if channels == 1 else "RGB")
    image = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
    pixels = numpy.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)
    (logits,) = student.run(["logits"], {"images": pixels[None]})
    scores = numpy.exp(logits[0] - logits[0].max())
    best = scores.argmax()
    print(f"{file}: {classes[best]} ({scores[best] / scores.sum():.1%})")
