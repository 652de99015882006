"""Student with 8-bit weights and activations, as an ONNX file.

Static quantization by onnxruntime: convolutions and matrix products are computed in 8 bits, weights with one scale per
channel, activations with scales measured on training images. Dynamic quantization, which needs no images, was 2 to 11
times slower than the float file (3 networks, batches of 1 and 64, one thread, onnxruntime 1.31).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from spaces.errors import UserError

CALIBRATION_IMAGES = 256  # training images, from each class in turn
CALIBRATION_BATCH = 32
QUANTIZED_OPERATORS = ["Conv", "MatMul", "Gemm"]


class _TrainingImages(CalibrationDataReader):
    """Batches of training images, uint8."""

    def __init__(self, images: Tensor) -> None:
        self._batches = iter(images.split(CALIBRATION_BATCH))

    def get_next(self) -> dict[str, numpy.ndarray] | None:
        """Return the next batch, None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch.numpy()}


def write_int8(path: Path, target: Path, images: Tensor) -> None:
    """Quantize an ONNX file, with activations measured on images.

    `images` are uint8 `[n, channels, height, width]`. Metadata are kept. Raises UserError if onnxruntime cannot.
    """
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        prepared = Path(scratch) / "prepared.onnx"
        try:
            quant_pre_process(path, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                target,
                _TrainingImages(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=QUANTIZED_OPERATORS,
            )
        except Exception as error:  # the quantizer can fail in many ways on a custom model
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"--int8: onnxruntime cannot quantize this student: {reason}") from error
    model = onnx.load(target)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop onnxruntime's logged advice."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
