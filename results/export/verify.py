"""Whether exported files give what the trained model gives, and that what was recorded when it was trained."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from results.export import files
from results.export.exam import Exam
from results.export.files import ONNX, RECIPE, WEIGHTS
from results.records import Row
from spaces import space
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.evaluate import at_once, predict, score

TOLERANCE = 1e-4  # between logits, as a fraction of the largest
EDGE = 1e-3  # of the largest logit: images so near to a second class may be counted either way by another device
RECORDED = 1e-2  # of the recorded loss, for the same reason


def verify(folder: Path, model: nn.Module, recipe: Recipe, end: Row, test: Exam) -> str:
    """Read every file again and compare; return what was found in a sentence, raise UserError on a mismatch."""
    _same_recipe(folder / RECIPE, recipe)
    logits = predict(model, test.images)
    read = {
        WEIGHTS: predict(files.model(folder / WEIGHTS, recipe, test.shape, len(test.classes)), test.images),
        ONNX: files.run_onnx(folder / ONNX, test.images, at_once(model, test.shape)),
    }
    away = max(_distance(name, others, logits) for name, others in read.items())
    kind = "random" if test.labels is None else "test"
    found = f"Reloaded from both files, logits differ by at most {away:.0e} on {len(logits):,} {kind} images"
    if test.labels is None:
        return f"{found}; accuracy could not be checked: {test.missing}."
    for name, others in {"the student": logits, **read}.items():
        _as_recorded(name, others, test.labels, end)
    return f"{found}; test accuracy {100 * score(logits, test.labels).accuracy:.2f} %, as recorded in training."


def _same_recipe(path: Path, recipe: Recipe) -> None:
    teacher_seed = recipe.teacher.seed if recipe.teacher else 0
    if space.load(path).fill({}, recipe.seed, teacher_seed).key() != recipe.key():
        raise UserError(f"{path.name}: does not read as the recipe that was trained")


def _distance(name: str, logits: Tensor, expected: Tensor) -> float:
    """The largest difference of a logit; a UserError where it is more than rounding."""
    largest, away = expected.abs().max().item(), (logits - expected).abs().max().item()
    if not away <= TOLERANCE * largest:  # true for NaN as well
        raise UserError(f"{name}: a logit is {away:.2g} off the trained model's, whose largest is {largest:.3g}")
    return away


def _as_recorded(name: str, logits: Tensor, labels: Tensor, end: Row) -> None:
    found, (first, second) = score(logits, labels), logits.topk(2).values.T
    edge = (first - second <= EDGE * logits.abs().max()).double().mean().item()
    if not abs(found.accuracy - end["test_accuracy"]) <= edge + 1e-9:
        here, then = (f"{100 * accuracy:.2f} %" for accuracy in (found.accuracy, end["test_accuracy"]))
        raise UserError(f"{name}: test accuracy {here}, but {then} was recorded when it was trained")
    loss = end.get("test_loss")
    if loss is not None and not abs(found.loss - loss) <= RECORDED * max(loss, 1e-3):
        raise UserError(f"{name}: test loss {found.loss:.4g}, but {loss:.4g} was recorded when it was trained")
