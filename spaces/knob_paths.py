"""Parts of a recipe that a student alone has, by the dotted path of a knob."""

from __future__ import annotations


def is_distillation_knob(path: str) -> bool:
    """Return True for a knob of the method or the teacher, without effect on the student alone."""
    return path.partition(".")[0] in ("method", "teacher")


def is_baseline_knob(path: str) -> bool:
    """Return True for a training value of the student alone.

    Its number of epochs is that of the distilled student.
    """
    return path.partition(".")[0] == "train" and path != "train.epochs"
