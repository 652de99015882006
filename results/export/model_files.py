"""Student files: weights as safetensors, and ONNX with preprocessing."""

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
from trainables.data import image_file
from trainables.data.image_file import FULL_DEPTH
from trainables.evaluate import EVALUATION_BATCH
from trainables.models import build_network
from trainables.output import prepare_images
from trainables.weights import tensor_file

WEIGHTS, ONNX, RECIPE, CARD = "student.safetensors", "student.onnx", "recipe.yaml", "card.md"
READER = "read_image.py"  # copy of trainables/data/image_file.py
NAMES = {WEIGHTS, ONNX, RECIPE, CARD, READER}


class ExportedNetwork(nn.Module):
    """A model with its preprocessing.

    The input is uint8 images `[batch, channels, height, width]` or float32 inputs, the output float32 logits `[batch,
    classes]`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `[batch, classes]`."""
        return self.model(prepare_images(images)).float()


def load_student(path: Path, recipe: Recipe, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return a student with the weights in a file.

    Raises UserError if the file is unreadable or belongs to another model.
    """
    student = build_network(recipe.network, shape, classes)
    try:
        student.load_state_dict(tensor_file.read_tensors(path)[0])
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: does not match the model of its recipe: {reason[:200]}") from None
    return student.eval()


def trained_classes(path: Path) -> list[str] | None:
    """Return the class names in a student's weights file.

    None for a student of an earlier version.
    """
    classes = tensor_file.read_tensors(path)[1].get("classes")
    return None if classes is None else json.loads(classes)


def onnx_bytes(
    model: nn.Module,
    shape: tuple[int, ...],
    classes: Sequence[str],
    depth: int = FULL_DEPTH,
    dtype: torch.dtype = torch.uint8,
) -> bytes:
    """Return an ONNX file for any batch size, with weights and preprocessing.

    Its metadata describe the images, list the classes as JSON, and hold the bit depth for `read_image`. Raises
    UserError if torch cannot export the model.
    """
    example = torch.zeros(2, *shape, dtype=dtype)
    try:
        with warnings.catch_warnings():
            # torch's exporter calls a function deprecated by torch
            warnings.filterwarnings("ignore", r".isinstance\(treespec, LeafSpec\). is deprecated", FutureWarning)
            program = torch.onnx.export(
                ExportedNetwork(model).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: "batch"}},
            )
    except Exception as error:  # the exporter can fail in many ways on a custom model
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"the model cannot be exported as ONNX: {reason[0]}") from error
    assert program is not None  # documented for dynamo=True
    proto = program.model_proto
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]  # the exporter's notes contain paths of this machine
    metadata = {"images": describe_images(shape, dtype), "classes": json.dumps(list(classes)), "depth": str(depth)}
    onnx.helper.set_model_props(proto, metadata)
    return proto.SerializeToString()


def reader_source() -> str:
    """Return the source of the reader of image files."""
    return Path(image_file.__file__).read_text(encoding="utf-8")


def describe_images(shape: tuple[int, ...], dtype: torch.dtype = torch.uint8) -> str:
    """Return a description of the input images."""
    if dtype != torch.uint8:
        return (
            f"float32 [batch, {', '.join(map(str, shape))}]: the numbers of the data set, as its loader returns them."
        )
    channels, height, width = shape
    colors = {1: "gray levels", 3: "red, green and blue"}.get(channels, f"{channels} channels")
    return (
        f"uint8 [batch, {channels}, {height}, {width}]: {colors} from 0 to 255, as decoded. Resize an image of "
        "another size until it covers this size, then crop its center, as read_image.py does. The graph divides by 255 "
        "itself."
    )


def run_onnx(path: Path, images: Tensor, most: int = EVALUATION_BATCH) -> Tensor:
    """Return logits `[n, classes]` of an ONNX file.

    The first image is a batch of its own, the others are in batches of `most`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batches = [images[:1], *images[1:].split(most)]
    return torch.cat([torch.from_numpy(session.run(["logits"], {"images": batch.numpy()})[0]) for batch in batches])
