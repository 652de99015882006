"""Checks of saved teachers against the data."""

from __future__ import annotations

from collections.abc import Iterator

from spaces.errors import Problem
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.models import build_without_memory
from trainables.teachers.recorded_logits import recorded_logits_problem

LABELED_NETWORKS = {"onnx", "transformers"}  # their files may name the classes


def saved_teacher_problems(recipe: Recipe, teacher: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield the misfits of a student's saved teacher and the data.

    The paths begin at the teacher. `teacher` is its own recipe, of a network that can be built.
    """
    if teacher.network.name == "recorded":
        misfit = _view_problem(recipe) or recorded_logits_problem(teacher.network.knobs["file"], data)
        yield from [("logits", misfit)] if misfit else []
    elif teacher.network.name in LABELED_NETWORKS:
        yield from _class_problems(teacher, data)


def _view_problem(recipe: Recipe) -> str | None:
    if not recipe.train.augment_policy:
        return None
    key = "train.augment" if recipe.train.augment else "train.shift"
    reason = f"the logits are of the unchanged images, and {key} changes them in every epoch"
    return f"{reason}; remove it, or use a teacher that can be run"


def _class_problems(teacher: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield an untrained head, and the same classes in another order."""
    network = build_without_memory(teacher.network, data.shape, len(data.classes))
    if vars(network).get("has_new_head") and not teacher.train.epochs:
        reason = f"the model has other than {len(data.classes)} classes, so its head is new and has to be trained"
        yield "train.epochs", f"found 0, but {reason}"
    if vars(network).get("takes_uint8") and teacher.network.normalize not in (None, "none"):
        yield "model.normalize", "the network in the file takes uint8 images, which are not normalized; remove this key"
    names = vars(network).get("class_names", data.classes)
    if names != data.classes and sorted(names) == sorted(data.classes):
        present = f"the outputs are {', '.join(names)}, but the classes of the data are {', '.join(data.classes)}"
        advice = "; name them in labels" if teacher.network.name == "transformers" else ""
        yield "model", f"{present}: the same in another order{advice}"
