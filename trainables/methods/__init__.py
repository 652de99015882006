"""Distillation methods by name: pure functions (student, teacher, labels, *, knobs) -> loss per example [batch].

`alpha` always weighs the teacher's term, so alpha = 0 is the student baseline exactly, whatever the method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor

from trainables.methods.hinton import hinton
from trainables.methods.none import none

METHODS: dict[str, Callable[..., Tensor]] = {
    "hinton": hinton,
    "none": none,
}


def formula(name: str) -> str:
    """The loss of a method as written in its docstring: the paragraph after the first."""
    paragraphs = inspect.cleandoc(METHODS[name].__doc__ or name).split("\n\n")
    return " ".join(paragraphs[min(1, len(paragraphs) - 1)].split())
