"""Size and speed of networks as ONNX files.

Speed is measured on one CPU thread of the exporting machine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import cache
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy
import onnxruntime
import torch

from results import markdown
from results.export import model_files
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.device import device_name
from trainables.models import build_network
from trainables.models.recorded import RecordedNetwork
from trainables.output import random_inputs

BATCHES = (1, 64)
FEWEST_CALLS, MOST_CALLS, MOST_SECONDS = 5, 50, 1.0  # per batch size
HEADS = ["", "ONNX file, MB", *(f"batch {batch}, ms" for batch in BATCHES)]

Shape = tuple[int, ...]


class OnnxSpeed(NamedTuple):
    """Bytes of an ONNX file; (median ms, calls) per batch size."""

    bytes: int
    calls: tuple[tuple[float, int], ...]


def measure_speed(content: bytes, shape: Shape, dtype: torch.dtype = torch.uint8) -> OnnxSpeed:
    """Time an ONNX file on random images of this shape."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    batches = (random_inputs(batch, shape, dtype).numpy() for batch in BATCHES)
    return OnnxSpeed(len(content), tuple(_median_call(session, images) for images in batches))


def _median_call(session: onnxruntime.InferenceSession, images: numpy.ndarray) -> tuple[float, int]:
    for _ in range(FEWEST_CALLS):  # warm-up
        _call_seconds(session, images)
    taken: list[float] = []
    while len(taken) < FEWEST_CALLS or (len(taken) < MOST_CALLS and sum(taken) < MOST_SECONDS):
        taken.append(_call_seconds(session, images))
    return 1000 * median(taken), len(taken)


def _call_seconds(session: onnxruntime.InferenceSession, images: numpy.ndarray) -> float:
    start = perf_counter()
    session.run(["logits"], {"images": images})
    return perf_counter() - start


def teacher_speeds(
    recipe: Recipe, shape: Shape, classes: int, dtype: torch.dtype = torch.uint8
) -> dict[str, OnnxSpeed | None]:
    """Measure the teachers of a student, by name.

    None for a network without ONNX export. Weights are random, which changes neither size nor time.
    """
    networks = dict.fromkeys(teacher.network.model_dump_json() for teacher in recipe.teacher_recipes())
    names = ["teacher"] if len(networks) == 1 else [f"teacher {number}" for number in range(1, len(networks) + 1)]
    return {name: _measure_network(text, shape, classes, dtype) for name, text in zip(names, networks, strict=True)}


@cache
def _measure_network(model: str, shape: Shape, classes: int, dtype: torch.dtype) -> OnnxSpeed | None:
    """Measure a network given as JSON, once per process."""
    try:
        network = build_network(Model.model_validate_json(model), shape, classes)
        if isinstance(network, RecordedNetwork):
            return None
        return measure_speed(model_files.onnx_bytes(network, shape, [], dtype=dtype), shape, dtype)
    except Exception:  # a custom model can fail in many ways, and the teacher is not exported
        return None


def speed_table(speeds: dict[str, OnnxSpeed | None]) -> str:
    """Return the speeds as Markdown, with the conditions below."""
    lines = [[name, *_speed_cells(speed)] for name, speed in speeds.items()]
    processor = platform.machine() if torch.cuda.is_available() else device_name()
    note = (
        f"Median time of a call in milliseconds, n calls after {FEWEST_CALLS} warm-up calls, on one thread of "
        f"{processor} ({os.cpu_count()} cores), onnxruntime {onnxruntime.__version__}. Teachers are timed with random "
        "weights."
    )
    return "\n".join([*markdown.table_lines([HEADS, *lines]), "", f"- {note}"])


def _speed_cells(speed: OnnxSpeed | None) -> Sequence[str]:
    if speed is None:
        return ["–"] * (1 + len(BATCHES))
    return [f"{speed.bytes / 1e6:.3g}", *(f"{milliseconds:.3g} (n = {n})" for milliseconds, n in speed.calls)]
