"""Distillation methods by name.

A method is a pure function (student, teacher, labels, *, knobs) -> loss per example [batch]. `student` and `teacher`
are of type `Output`: logits [batch, classes] and the activations of observed layers. `labels` are [batch]; unlabeled
images have the label -100, for which torch's cross-entropy is 0, so that the teacher's term remains. A method that
reads the labels otherwise is declared by `needs_labels`, and refuses unlabeled images. A knob of
type `TeacherWeight`, usually `alpha`, weighs the teacher's term: at 0 the loss is that of the baseline. A method with
an argument `progress` gets the epoch. No gradient may reach the teacher: detach its tensors.

To add a method: one file with a function, declared by `declare`, and one line in METHODS. The laws of all methods are
in tests/trainables/methods/test_laws.py; test one with `pytest tests/trainables/methods -k NAME`.

Decision: "A method's signature declares what it needs" (docs/decisions.md).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, get_args, get_type_hints

from torch import Tensor

from spaces.parts import Method
from trainables.declare import NO_FORMULA, declaration_of
from trainables.knobs import FirstStage, StudentLayer, TeacherLayer, marked_knobs
from trainables.methods.attention import attention
from trainables.methods.contrast import subclass_contrast
from trainables.methods.decoupled import decoupled
from trainables.methods.dist import dist
from trainables.methods.divergence import divergence
from trainables.methods.fitnets import fitnets
from trainables.methods.hint import hint
from trainables.methods.hinton import hinton
from trainables.methods.mse import mse
from trainables.methods.multilevel import multilevel
from trainables.methods.neuron_selectivity import neuron_selectivity
from trainables.methods.none import none
from trainables.methods.normalized import normalized
from trainables.methods.probabilistic import probabilistic
from trainables.methods.refined import refined
from trainables.methods.relational import relational
from trainables.methods.routed import routed
from trainables.methods.similarity import similarity
from trainables.methods.smoothing import smoothing
from trainables.methods.standardized import standardized
from trainables.methods.subclass import subclass
from trainables.methods.transformed import transformed
from trainables.methods.weighted import weighted
from trainables.output import Output

METHODS: dict[str, Callable[..., Tensor]] = {
    "attention": attention,
    "contrast": subclass_contrast,
    "decoupled": decoupled,
    "dist": dist,
    "divergence": divergence,
    "fitnets": fitnets,
    "hint": hint,
    "hinton": hinton,
    "mse": mse,
    "multilevel": multilevel,
    "neuron_selectivity": neuron_selectivity,
    "none": none,
    "normalized": normalized,
    "probabilistic": probabilistic,
    "refined": refined,
    "relational": relational,
    "routed": routed,
    "similarity": similarity,
    "smoothing": smoothing,
    "standardized": standardized,
    "subclass": subclass,
    "transformed": transformed,
    "weighted": weighted,
}


class Requirements(NamedTuple):
    """Inputs of a method from the training loop, read from its signature."""

    uses_progress: bool  # the loss depends on the epoch
    student_layers: tuple[str, ...]  # to be observed
    teacher_layers: tuple[str, ...]
    regressor: str | None  # trained layer from the student's layer to the teacher's
    first_stage_epochs: int  # epochs before the optimizer starts afresh; 0 for one stage

    def observes_layers(self, epoch: int) -> bool:
        """Return true in epochs with observed layers.

        With two stages, only the first one observes layers.
        """
        return not self.first_stage_epochs or epoch <= self.first_stage_epochs


def method_requirements(method: Method) -> Requirements:
    """Return the requirements of a method and its knobs."""
    function, knobs = METHODS[method.name], knobs_with_defaults(method)
    return Requirements(
        uses_progress="progress" in inspect.signature(function).parameters,
        student_layers=tuple(knobs[name] for name in marked_knobs(function, StudentLayer)),
        teacher_layers=tuple(knobs[name] for name in marked_knobs(function, TeacherLayer)),
        regressor=knobs.get("regressor"),
        first_stage_epochs=sum(knobs[name] for name in marked_knobs(function, FirstStage)),
    )


def knobs_with_defaults(method: Method) -> dict[str, Any]:
    """Return all knobs of a method, with defaults for those not set."""
    parameters = inspect.signature(METHODS[method.name]).parameters
    defaults = {name: knob.default for name, knob in parameters.items() if knob.kind is knob.KEYWORD_ONLY}
    return defaults | method.knobs


def needs_teacher(name: str) -> bool:
    """Return true unless the method's signature allows `teacher` to be None."""
    hints = get_type_hints(METHODS[name])
    return type(None) not in get_args(hints.get("teacher", Output))


def method_needs(name: str) -> tuple[str, ...]:
    """Return the needs of a method beside the student's logits."""
    function = METHODS[name]
    parameters, is_declared = inspect.signature(function).parameters, declaration_of(function).needs_labels
    needs = {
        "teacher": needs_teacher(name),
        "labels of all images": is_declared,
        "student layer": marked_knobs(function, StudentLayer),
        "teacher layer": marked_knobs(function, TeacherLayer),
        "regressor": "regressor" in parameters,
        "first stage": marked_knobs(function, FirstStage),
        "epoch": "progress" in parameters,
    }
    return tuple(need for need, is_needed in needs.items() if is_needed)


def method_formula(name: str) -> str:
    """Return the declared loss of a method."""
    return declaration_of(METHODS[name]).formula or NO_FORMULA
