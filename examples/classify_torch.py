"""`python examples/classify_torch.py EXPORT/student.pt2 IMAGE …`: classify images with PyTorch, Pillow and NumPy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

program_file, *files = map(Path, sys.argv[1:])
sys.path.insert(0, str(program_file.parent))
from read_image import read_image  # noqa: E402 (the exported reader of images)

entries = {"classes.json": "", "depth": ""}
program = torch.export.load(program_file, extra_files=entries)
student, classes = program.module(), json.loads(entries["classes.json"])
_, channels, height, width = program.example_inputs[0][0].shape
for file in files:
    image = torch.from_numpy(read_image(file, height, width, channels, int(entries["depth"])))
    with torch.no_grad():
        chances = student(image[None]).softmax(-1)[0]
    print(f"{file}: {classes[int(chances.argmax())]} ({chances.max():.1%})")
