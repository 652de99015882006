"""Student files: weights as safetensors, and ONNX with preprocessing."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

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
PROGRAM, INT8 = "student.pt2", "student-int8.onnx"
NAMES = {WEIGHTS, ONNX, RECIPE, CARD, READER}
EXTRA_NAMES = {PROGRAM, INT8, "plugins"}  # not in every export
CLASSES_ENTRY, DEPTH_ENTRY = "classes.json", "depth"  # in a .pt2 file


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


def export_program(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype = torch.uint8) -> ExportedProgram:
    """Return the student with its preprocessing as a PyTorch program.

    It takes any batch size. Raises UserError if torch cannot export the model.
    """
    example = torch.zeros(2, *shape, dtype=dtype)
    batch = {"images": {0: torch.export.Dim.DYNAMIC}}
    with _export_errors():
        return torch.export.export(ExportedNetwork(model).eval(), (example,), dynamic_shapes=batch)


def program_bytes(program: ExportedProgram, classes: Sequence[str], depth: int = FULL_DEPTH) -> bytes:
    """Return a .pt2 file for `torch.export.load`, with the class names and the bit depth for `read_image`.

    It runs in plain PyTorch: neither this project nor a plugin is needed.
    """
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
    entries = {CLASSES_ENTRY: json.dumps(list(classes)), DEPTH_ENTRY: str(depth)}
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=entries)
    return content.getvalue()


@contextmanager
def _export_errors() -> Iterator[None]:
    """Raise every error of torch's exporters as a UserError."""
    try:
        with warnings.catch_warnings():
            # torch's exporter calls a function deprecated by torch
            warnings.filterwarnings("ignore", r".isinstance\(treespec, LeafSpec\). is deprecated", FutureWarning)
            yield
    except Exception as error:  # the exporters can fail in many ways on a custom model
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"the model cannot be exported: {reason[0]}") from error


def onnx_bytes(
    model: nn.Module | ExportedProgram,
    shape: tuple[int, ...],
    classes: Sequence[str],
    depth: int = FULL_DEPTH,
    dtype: torch.dtype = torch.uint8,
) -> bytes:
    """Return an ONNX file for any batch size, with weights and preprocessing.

    Its metadata describe the images, list the classes as JSON, and hold the bit depth for `read_image`. Raises
    UserError if torch cannot export the model.
    """
    exported = model if isinstance(model, ExportedProgram) else export_program(model, shape, dtype)
    with _export_errors():
        program = torch.onnx.export(
            exported,
            (torch.zeros(2, *shape, dtype=dtype),),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: "batch"}},
        )
    assert program is not None  # documented for dynamo=True
    proto = program.model_proto
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]  # the exporter's notes contain paths of this machine
    del graph.value_info[:]  # the exporter's shapes contradict its transposed weights, which breaks quantizers
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


def run_program(path: Path, images: Tensor, most: int = EVALUATION_BATCH) -> Tensor:
    """Return logits `[n, classes]` of a .pt2 file.

    The batches are those of `run_onnx`.
    """
    program = torch.export.load(path).module()
    with torch.no_grad():
        return torch.cat([program(batch) for batch in [images[:1], *images[1:].split(most)]])


def input_normalization(model: nn.Module) -> str:
    """Return the normalization inside a network as text, "" without one."""
    numbers = [
        (", ".join(f"{value:.4g}" for value in module.get_buffer(name).flatten().tolist()))
        for module in model.modules()
        for name in ("input_mean", "input_std")
        if name in module._buffers
    ]
    return f"subtracts the mean ({numbers[0]}) and divides by the deviation ({numbers[1]})" if numbers else ""
