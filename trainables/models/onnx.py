"""Networks in ONNX files, as teachers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from spaces.disk import existing_file
from spaces.errors import UserError
from trainables.file_kinds import file_kind

TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(uint8)": torch.uint8}
SMALLEST_PROBABILITY = 1e-30  # so that the logarithm of a 0 is finite


def onnx(shape: tuple[int, int, int], classes: int, *, file: Annotated[str, Field(min_length=1)]) -> nn.Module:
    """A network in an ONNX file, for an untrained teacher.

    Write `teacher: {onnx: FILE}`. onnxruntime runs it on the CPU, with the images that `normalize` and `resize` make; a
    network of uint8 images gets them as they are. Of probabilities, after a softmax, it takes the logarithm.

    Args:
        file: ONNX file of a network with one input, the images, and logits [batch, classes].
    """
    path = existing_file(file)
    graph = _read_graph(path, path.stat().st_mtime_ns)
    network = OnnxNetwork(path, graph, shape, classes)
    if graph.classes is not None:
        network.class_names = graph.classes  # type: ignore[assignment]  # a module takes any attribute
    return network


class _Graph(NamedTuple):
    """Facts on the network in a file."""

    input_name: str
    input_shape: tuple[Any, ...]  # a number, or the name of a free dimension, for each
    input_type: str
    output_name: str
    output_shape: tuple[Any, ...]
    parameters: int
    ends_in_softmax: bool
    classes: tuple[str, ...] | None  # written into the file by an export of this project


@lru_cache(maxsize=8)
def _session(path: Path, _modified: int) -> Any:
    """Open a file with onnxruntime; raise UserError if it is none."""
    import onnxruntime  # takes a second

    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises types without a common class
        kind = file_kind(path)
        reason = kind if kind and "ONNX" not in kind else str(error).strip().splitlines()[0]
        raise UserError(f"file: {path}: not an ONNX model that can be run: {reason}") from None


@lru_cache(maxsize=8)
def _read_graph(path: Path, modified: int) -> _Graph:
    import onnx as library

    session = _session(path, modified)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs)
        raise UserError(f"file: {path}: {len(inputs)} inputs ({names}), expected one, the images")
    output = next((item for item in outputs if item.name == "logits"), outputs[0])
    model = library.load(str(path), load_external_data=False)
    producer = next((node for node in model.graph.node if output.name in node.output), None)
    sizes = [torch.Size(tensor.dims).numel() for tensor in model.graph.initializer]
    classes = session.get_modelmeta().custom_metadata_map.get("classes")
    return _Graph(
        *(inputs[0].name, tuple(inputs[0].shape), inputs[0].type),
        *(output.name, tuple(output.shape), sum(sizes)),
        ends_in_softmax=producer is not None and producer.op_type == "Softmax",
        classes=tuple(json.loads(classes)) if classes else None,
    )


def external_files(path: Path) -> Iterator[Path]:
    """Yield the files of weights beside an ONNX file."""
    import onnx as library

    try:
        model = library.load(str(path), load_external_data=False)
    except Exception:  # of protobuf, for another kind of file, which is reported when it is opened
        return
    entries = (entry for tensor in model.graph.initializer for entry in tensor.external_data)
    names = dict.fromkeys(entry.value for entry in entries if entry.key == "location")
    yield from (path.parent / name for name in names if (path.parent / name).is_file())


class OnnxNetwork(nn.Module):
    """A network of onnxruntime as a module, without layers.

    Raises UserError if the network does not fit the images or the classes.
    """

    def __init__(self, path: Path, graph: _Graph, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.path, self.graph, self.classes = path, graph, classes
        self.parameter_count, self.takes_uint8 = graph.parameters, TYPES.get(graph.input_type) == torch.uint8
        self.channels_last = graph.input_shape[1:] == (*shape[1:], shape[0]) != tuple(shape)
        expected = (*shape[1:], shape[0]) if self.channels_last else tuple(shape)
        problem = _input_problem(graph, expected) or _output_problem(graph, classes)
        if problem:
            raise UserError(f"file: {path}: {problem}")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [batch, classes] for prepared images."""
        if images.is_meta:
            return images.new_zeros(len(images), self.classes)
        inputs, device = self._inputs(images.cpu()), images.device
        batch = self.graph.input_shape[0]
        size = batch if isinstance(batch, int) else max(1, len(inputs))
        logits = torch.cat([self._run(part, size) for part in inputs.split(size)]).to(device)
        return logits.clamp_min(SMALLEST_PROBABILITY).log() if self.graph.ends_in_softmax else logits

    def _inputs(self, images: Tensor) -> Tensor:
        scaled = (images * 255).round() if self.takes_uint8 else images
        return (scaled.movedim(1, -1) if self.channels_last else scaled).to(TYPES[self.graph.input_type])

    def _run(self, images: Tensor, size: int) -> Tensor:
        """Return the logits of at most `size` images.

        A network of a fixed batch gets zeros in place of missing images.
        """
        n = len(images)
        padded = torch.cat([images, images.new_zeros(size - n, *images.shape[1:])]) if n < size else images
        session = _session(self.path, self.path.stat().st_mtime_ns)
        (logits,) = session.run([self.graph.output_name], {self.graph.input_name: padded.contiguous().numpy()})
        if logits.shape != (size, self.classes):
            expected = f"expected {[size, self.classes]}: one logit for each class"
            raise UserError(f"file: {self.path}: returned {list(logits.shape)} for {size} images, {expected}")
        return torch.from_numpy(logits)[:n].float()


def _input_problem(graph: _Graph, expected: tuple[int, ...]) -> str | None:
    if graph.input_type not in TYPES:
        return f"takes inputs of type {graph.input_type}, expected one of {', '.join(TYPES)}"
    shape = graph.input_shape
    if len(shape) != 1 + len(expected):
        return f"takes inputs {_dimensions_text(shape)}, expected [batch, {', '.join(map(str, expected))}]"
    if all(not isinstance(size, int) or size == side for size, side in zip(shape[1:], expected, strict=True)):
        return None
    sides = {size for size in shape[1:] if isinstance(size, int) and size > 4}
    advice = f"; write model: {{resize: {sides.pop()}}}" if len(sides) == 1 and sides.isdisjoint(expected) else ""
    return f"takes inputs {_dimensions_text(shape)}, expected [batch, {', '.join(map(str, expected))}]{advice}"


def _output_problem(graph: _Graph, classes: int) -> str | None:
    shape = graph.output_shape
    if shape and (len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != classes)):
        return f"returns {graph.output_name} {_dimensions_text(shape)}, expected logits [batch, {classes}]"
    return None


def _dimensions_text(shape: tuple[Any, ...]) -> str:
    return f"[{', '.join(str(size) if isinstance(size, int) else 'any' for size in shape)}]"
