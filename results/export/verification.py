"""Comparison of exported files with the trained model and the recorded results."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from torch import Tensor, nn

from results.export import model_files
from results.export.model_files import INT8, ONNX, PROGRAM, RECIPE, WEIGHTS
from results.export.verification_images import VerificationImages
from results.records import Row
from spaces import space
from spaces.errors import UserError
from spaces.metric_functions import accuracy, negative_log_likelihood
from spaces.recipe import Recipe
from trainables.evaluate import evaluation_batch_size, predict_logits

LOGIT_TOLERANCE = 1e-4  # fraction of the largest logit
CLASS_MARGIN = 1e-3  # fraction of the largest logit; images with a smaller margin may change class on another device
LOSS_TOLERANCE = 1e-2  # fraction of the recorded loss, which differs between devices too


def verify_export(folder: Path, model: nn.Module, recipe: Recipe, end: Row, test: VerificationImages) -> str:
    """Reload every file and compare; return the result as one sentence.

    Raises UserError on a mismatch.
    """
    require_same_recipe(folder / RECIPE, recipe)
    logits = predict_logits(model, test.images)
    reloaded = model_files.load_student(folder / WEIGHTS, recipe, test.shape, len(test.classes))
    outputs = {
        WEIGHTS: predict_logits(reloaded, test.images),
        ONNX: model_files.run_onnx(folder / ONNX, test.images, evaluation_batch_size(model, test.shape)),
        PROGRAM: model_files.run_program(folder / PROGRAM, test.images, evaluation_batch_size(model, test.shape)),
    }
    difference = max(_largest_difference(name, values, logits) for name, values in outputs.items())
    kind = "random" if test.labels is None else "test"
    sentence = f"Reloaded from all files, logits differ by at most {difference:.0e} on {len(logits):,} {kind} images"
    if test.labels is None:
        return f"{sentence}; accuracy could not be checked: {test.missing}."
    for name, values in {"the student": logits, **outputs}.items():
        _require_recorded_scores(name, values, test.labels, end)
    return f"{sentence}; test accuracy {100 * accuracy(logits, test.labels):.2f} %, as recorded in training."


def compare_int8(folder: Path, test: VerificationImages, calibration_images: int) -> str:
    """Return the test accuracy of the 8-bit file beside the float file's."""
    assert test.labels is not None
    logits = [model_files.run_onnx(folder / name, test.images) for name in (INT8, ONNX)]
    own, full = (f"{100 * accuracy(values, test.labels):.2f} %" for values in logits)
    agreeing = f"{100 * (logits[0].argmax(-1) == logits[1].argmax(-1)).double().mean().item():.2f} %"
    return (
        f"In 8 bits ({INT8}), test accuracy {own}, and {full} in float32; the same class for {agreeing} of the test "
        f"images. Activations were measured on {calibration_images} training images."
    )


def require_same_recipe(path: Path, recipe: Recipe) -> None:
    teacher_seed = recipe.teacher.seed if recipe.teacher else 0
    again = space.load_space(path).fill({}, recipe.seed, teacher_seed).model_copy(update={"train_on": recipe.train_on})
    if again.key() != recipe.key():
        raise UserError(f"{path.name}: differs from the trained recipe when read back")


def _largest_difference(name: str, logits: Tensor, expected: Tensor) -> float:
    """Return the largest difference of a logit; raise UserError above the tolerance."""
    largest, difference = expected.abs().max().item(), (logits - expected).abs().max().item()
    if not difference <= LOGIT_TOLERANCE * largest:  # also true for NaN
        raise UserError(
            f"{name}: a logit differs by {difference:.2g} from the trained model (largest logit {largest:.3g}); "
            "nothing is exported"
        )
    return difference


def _require_recorded_scores(name: str, logits: Tensor, labels: Tensor, end: Row) -> None:
    measured, recorded = accuracy(logits, labels), end["test_accuracy"]
    first, second = logits.topk(2).values.T
    uncertain = (first - second <= CLASS_MARGIN * logits.abs().max()).double().mean().item()
    if not abs(measured - recorded) <= uncertain + 1e-9:
        _refuse(name, "accuracy", f"{100 * measured:.2f} %", f"{100 * recorded:.2f} %")
    loss, recorded_loss = negative_log_likelihood(logits, labels), end.get("test_loss")
    if recorded_loss is not None and not abs(loss - recorded_loss) <= LOSS_TOLERANCE * max(recorded_loss, 1e-3):
        _refuse(name, "loss", f"{loss:.4g}", f"{recorded_loss:.4g}")


def _refuse(name: str, score: str, measured: str, recorded: str) -> NoReturn:
    raise UserError(f"{name}: test {score} {measured}, but {recorded} was recorded in training; nothing is exported")
