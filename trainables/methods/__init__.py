"""Distillation methods by name: pure functions (student, teacher, labels, *, knobs) -> loss per example [batch].

`alpha` always weighs the teacher's term, so alpha = 0 is the student baseline exactly, whatever the method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple, get_args, get_type_hints

from torch import Tensor

from spaces.recipe import Method
from trainables.knobs import FirstStage, StudentLayer, TeacherLayer, marked
from trainables.methods.attention import attention
from trainables.methods.contrast import contrast
from trainables.methods.decoupled import decoupled
from trainables.methods.dist import dist
from trainables.methods.fitnets import fitnets
from trainables.methods.hint import hint
from trainables.methods.hinton import hinton
from trainables.methods.none import none
from trainables.methods.relational import relational
from trainables.methods.routed import routed
from trainables.methods.similarity import similarity
from trainables.methods.smoothing import smoothing
from trainables.methods.standardized import standardized
from trainables.methods.subclass import subclass
from trainables.output import Output

METHODS: dict[str, Callable[..., Tensor]] = {
    "attention": attention,
    "contrast": contrast,
    "decoupled": decoupled,
    "dist": dist,
    "fitnets": fitnets,
    "hint": hint,
    "hinton": hinton,
    "none": none,
    "relational": relational,
    "routed": routed,
    "similarity": similarity,
    "smoothing": smoothing,
    "standardized": standardized,
    "subclass": subclass,
}


class Needs(NamedTuple):
    """What a method with its knobs asks of the training loop, read from its signature."""

    moment: bool  # whether its loss depends on the epoch
    student: tuple[str, ...]  # layers of the student to observe
    teacher: tuple[str, ...]  # layers of the teacher
    regressor: str | None  # what maps the student's layer to the teacher's
    first_stage: int  # epochs after which the optimiser starts anew; 0 for one stage

    def hints(self, epoch: int) -> bool:
        """Whether layers are looked at in this epoch: where there are two stages, only in the first."""
        return not self.first_stage or epoch <= self.first_stage


def needs(method: Method) -> Needs:
    """What a method asks for; knobs that are not given have their defaults."""
    function = METHODS[method.name]
    parameters = inspect.signature(function).parameters
    knobs = {name: each.default for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY} | method.knobs
    return Needs(
        moment="moment" in parameters,
        student=tuple(knobs[name] for name in marked(function, StudentLayer)),
        teacher=tuple(knobs[name] for name in marked(function, TeacherLayer)),
        regressor=knobs.get("regressor"),
        first_stage=sum(knobs[name] for name in marked(function, FirstStage)),
    )


def unaided(method: Method) -> bool:
    """Whether a method needs no teacher: its signature says that there may be none."""
    hints = get_type_hints(METHODS[method.name])
    return type(None) in get_args(hints.get("teacher", Output))


def formula(name: str) -> str:
    """The loss of a method as written in its docstring: the paragraph after the first."""
    paragraphs = inspect.cleandoc(METHODS[name].__doc__ or name).split("\n\n")
    return " ".join(paragraphs[min(1, len(paragraphs) - 1)].split())
