"""Distillation methods by name.

A method is a pure function (student, teacher, labels, *, knobs) -> loss per example [batch]. `student` and `teacher`
are of type `Output`: logits [batch, classes] and the activations of observed layers. `labels` are [batch]; unlabeled
images have the label -100, for which torch's cross-entropy is 0, so that the teacher's term remains. A method that
reads the labels otherwise is declared by `needs_labels`, and refuses unlabeled images. A knob of
type `TeacherWeight`, usually `alpha`, weighs the teacher's term: at 0 the loss is that of the baseline. No gradient may
reach the teacher: detach its tensors.

A method gets more if its signature names it, before the knobs:

- `progress`: the epoch, a `Progress`
- `images`: the batch as the data set holds it, after augmentation; uint8 [batch, channels, height, width] or float32
- `indices`: numbers of the examples among the images trained on, [batch]
- `label_loss`: the loss of `train.loss`, from logits and labels to [batch]
- `module`: the module that the method owns, with all its state, built as declared by `module`
  (trainables/method_module.py)

To add a method: one file with a function, declared by `declare`, and one line in METHODS. The laws of all methods are
in tests/trainables/methods/test_laws.py; test one with `pytest tests/trainables/methods -k NAME`.

Decision: "A method's signature declares what it needs" (docs/decisions.md).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, get_args, get_type_hints

from torch import Tensor

from spaces.parts import Method
from spaces.training import Train
from trainables.declare import NO_FORMULA, declaration_of
from trainables.knobs import FirstStage, StudentLayer, TeacherLayer, knob_names, marked_knobs
from trainables.label_losses import DEFAULT_LOSS, LABEL_LOSSES
from trainables.methods.attention import attention
from trainables.methods.boundary import boundary
from trainables.methods.contrast import subclass_contrast
from trainables.methods.contrastive import contrastive
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
from trainables.methods.projected import projected
from trainables.methods.refined import refined
from trainables.methods.relational import relational
from trainables.methods.review import review
from trainables.methods.routed import routed
from trainables.methods.similarity import similarity
from trainables.methods.smoothing import smoothing
from trainables.methods.standardized import standardized
from trainables.methods.subclass import subclass
from trainables.methods.transformed import transformed
from trainables.methods.variational import variational
from trainables.methods.weighted import weighted
from trainables.output import Output, Progress

METHODS: dict[str, Callable[..., Tensor]] = {
    "attention": attention,
    "boundary": boundary,
    "contrast": subclass_contrast,
    "contrastive": contrastive,
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
    "projected": projected,
    "refined": refined,
    "relational": relational,
    "review": review,
    "routed": routed,
    "similarity": similarity,
    "smoothing": smoothing,
    "standardized": standardized,
    "subclass": subclass,
    "transformed": transformed,
    "variational": variational,
    "weighted": weighted,
}


INPUTS = ("progress", "images", "indices", "module", "label_loss")  # that a method gets if its signature names them


class Requirements(NamedTuple):
    """Requirements of a method, read from its signature and its declaration."""

    inputs: tuple[str, ...]  # beside outputs and labels, of INPUTS
    student_layers: tuple[str, ...]  # to be observed
    teacher_layers: tuple[str, ...]
    first_stage_epochs: int  # epochs before the optimizer starts afresh; 0 for one stage
    module_knobs: dict[str, Any]  # arguments of the module's builder
    stackable: bool  # students of this method can be trained in a pack

    def observes_layers(self, epoch: int) -> bool:
        """Return true in epochs with observed layers.

        With two stages, only the first one observes layers.
        """
        return not self.first_stage_epochs or epoch <= self.first_stage_epochs

    def select_inputs(self, train: Train, epoch: int, **available: Any) -> dict[str, Any]:
        """Return the inputs named by the method's signature.

        `available` are the images, the indices and the module.
        """
        available["progress"] = Progress(epoch, train.epochs)
        available["label_loss"] = LABEL_LOSSES[train.loss or DEFAULT_LOSS]
        return {name: available[name] for name in self.inputs}


def method_requirements(method: Method) -> Requirements:
    """Return the requirements of a method and its knobs."""
    function, knobs = METHODS[method.name], knobs_with_defaults(method)
    declaration = declaration_of(function)
    builder, stackable = declaration.module, declaration.stackable
    return Requirements(
        inputs=tuple(name for name in INPUTS if name in inspect.signature(function).parameters),
        student_layers=_layers(knobs, marked_knobs(function, StudentLayer)),
        teacher_layers=_layers(knobs, marked_knobs(function, TeacherLayer)),
        first_stage_epochs=sum(knobs[name] for name in marked_knobs(function, FirstStage)),
        module_knobs={name: knobs[name] for name in knob_names(builder)} if builder else {},
        stackable=builder is None or stackable,
    )


def _layers(knobs: dict[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return the layers in these knobs, single ones and lists."""
    values = (knobs[name] for name in names)
    layers = (layer for value in values for layer in ([value] if isinstance(value, str) else value))
    return tuple(dict.fromkeys(layers))


def knobs_with_defaults(method: Method) -> dict[str, Any]:
    """Return all knobs of a method, with defaults for those not set."""
    function = METHODS[method.name]
    parameters = inspect.signature(function).parameters
    return {name: parameters[name].default for name in knob_names(function)} | method.knobs


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
        "trained module": "module" in parameters,
        "first stage": marked_knobs(function, FirstStage),
        "epoch": "progress" in parameters,
        "numbers of the images": "indices" in parameters,
        "images": "images" in parameters,
    }
    return tuple(need for need, is_needed in needs.items() if is_needed)


def method_formula(name: str, options: Collection[str] | None = None) -> str:
    """Return the declared loss of a method.

    It has the clauses of these `options`, by default of all.
    """
    return declaration_of(METHODS[name]).full_formula(options) or NO_FORMULA


def used_options(method: Method) -> set[str]:
    """Return the knobs of a method with values other than their defaults."""
    parameters = inspect.signature(METHODS[method.name]).parameters
    return {name for name, value in method.knobs.items() if value != parameters[name].default}
