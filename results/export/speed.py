"""How large and how fast networks are as ONNX files, on one thread of the processor of the machine that exports."""

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
from results.export import files
from spaces.recipe import Model, Recipe
from trainables.device import describe
from trainables.models import build

BATCHES = (1, 64)
FEWEST, MOST, SECONDS = 5, 50, 1.0  # calls, and for how long they may go on
HEADS = ["", "ONNX file, MB", *(f"batch {batch}, ms" for batch in BATCHES)]

Shape = tuple[int, int, int]


class Speed(NamedTuple):
    """A network's ONNX file in bytes, and for each of BATCHES the median in milliseconds and of how many calls."""

    bytes: int
    calls: tuple[tuple[float, int], ...]


def measure(content: bytes, shape: Shape) -> Speed:
    """Time an ONNX file on images of this shape, one thread, after as many calls as there are at the fewest."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(0)
    batches = (random.integers(0, 256, (batch, *shape), dtype=numpy.uint8) for batch in BATCHES)
    return Speed(len(content), tuple(_median(session, images) for images in batches))


def _median(session: onnxruntime.InferenceSession, images: numpy.ndarray) -> tuple[float, int]:
    for _ in range(FEWEST):
        _call(session, images)
    taken: list[float] = []
    while len(taken) < FEWEST or (len(taken) < MOST and sum(taken) < SECONDS):
        taken.append(_call(session, images))
    return 1000 * median(taken), len(taken)


def _call(session: onnxruntime.InferenceSession, images: numpy.ndarray) -> float:
    began = perf_counter()
    session.run(["logits"], {"images": images})
    return perf_counter() - began


def teachers(recipe: Recipe, shape: Shape, classes: int) -> dict[str, Speed | None]:
    """The networks behind a student by name, None for one that cannot be written as ONNX.

    They are measured with fresh weights, which take the same time and room.
    """
    networks = {each.network.model_dump_json(): each.network for each in recipe.teacher_recipes()}
    names = ["teacher"] if len(networks) == 1 else [f"teacher {place}" for place in range(1, len(networks) + 1)]
    return {name: _fresh(text, shape, classes) for name, text in zip(names, networks, strict=True)}


@cache
def _fresh(model: str, shape: Shape, classes: int) -> Speed | None:
    """A network by its part of a recipe as text, measured once however many students it taught."""
    try:
        network = build(Model.model_validate_json(model), shape, classes)
        return measure(files.onnx_bytes(network, shape, []), shape)
    except Exception:  # a model of the user's own can fail in many ways, and it is not what is exported
        return None


def table(speeds: dict[str, Speed | None]) -> str:
    """The speeds as Markdown, with what they were measured on."""
    lines = [[name, *_texts(speed)] for name, speed in speeds.items()]
    where = platform.machine() if torch.cuda.is_available() else describe()
    note = (
        f"Median time of a call in milliseconds, n calls after {FEWEST} to warm up, on one thread of {where} "
        f"({os.cpu_count()} cores), onnxruntime {onnxruntime.__version__}. A teacher is timed with fresh weights."
    )
    return "\n".join([*markdown.lines([HEADS, *lines]), "", f"- {note}"])


def _texts(speed: Speed | None) -> Sequence[str]:
    if speed is None:
        return ["–"] * (1 + len(BATCHES))
    return [f"{speed.bytes / 1e6:.3g}", *(f"{milliseconds:.3g} (n = {n})" for milliseconds, n in speed.calls)]
