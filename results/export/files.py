"""A student to files and back: weights as safetensors, and one ONNX file with its preprocessing."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.evaluate import BATCH
from trainables.models import build
from trainables.output import prepare
from trainables.weights import tensor_file

WEIGHTS, ONNX, RECIPE, CARD = "student.safetensors", "student.onnx", "recipe.yaml", "card.md"
NAMES = {WEIGHTS, ONNX, RECIPE, CARD}


class Network(nn.Module):
    """A model with its preprocessing: uint8 images [batch, channels, height, width] in, float32 logits out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""
        return self.model(prepare(images)).float()


def model(path: Path, recipe: Recipe, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A fresh student with the weights in a file; a UserError where they are unreadable or of another model."""
    fresh = build(recipe.network, shape, classes)
    try:
        fresh.load_state_dict(tensor_file.read(path)[0])
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: does not fit the model of its recipe: {reason[:200]}") from None
    return fresh.eval()


def onnx_bytes(model: nn.Module, shape: tuple[int, int, int], classes: Sequence[str]) -> bytes:
    """An ONNX file for any batch, weights and preprocessing in it; a UserError where torch cannot write the model.

    Its metadata say in words what its images are, and name the classes as a JSON list.
    """
    example = torch.zeros(2, *shape, dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            # torch's exporter calls what torch itself has deprecated
            warnings.filterwarnings("ignore", r".isinstance\(treespec, LeafSpec\). is deprecated", FutureWarning)
            program = torch.onnx.export(
                Network(model).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: "batch"}},
            )
    except Exception as error:  # the exporter has many ways to fail on a user's own model
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"the model cannot be written as ONNX: {reason[0]}") from error
    assert program is not None  # as dynamo=True promises
    written = program.model_proto
    graph = written.graph
    for part in (written, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]  # the exporter's notes, with paths of this machine
    onnx.helper.set_model_props(written, {"images": images(shape), "classes": json.dumps(list(classes))})
    return written.SerializeToString()


def images(shape: tuple[int, int, int]) -> str:
    """What a student takes, in words."""
    channels, height, width = shape
    colors = {1: "grey levels", 3: "red, green and blue"}.get(channels, f"{channels} channels")
    return (
        f"uint8 [batch, {channels}, {height}, {width}]: {colors} from 0 to 255, as decoded; an image of another size "
        "is resized until it covers this one, and its centre cut out. The graph divides by 255 itself."
    )


def run_onnx(path: Path, images: Tensor, most: int = BATCH) -> Tensor:
    """Logits [n, classes] of an ONNX file, the first image in a batch of its own, the others in some of `most`."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batches = [images[:1], *images[1:].split(most)]
    return torch.cat([torch.from_numpy(session.run(["logits"], {"images": batch.numpy()})[0]) for batch in batches])
