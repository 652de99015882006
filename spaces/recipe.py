"""A recipe determines one student completely; two equal recipes train equal students."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from spaces.label import show

Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]


class Part(BaseModel):
    """A frozen piece of a recipe: no unknown keys, no silent conversion of types, no infinities."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Named(Part):
    """Something chosen by name; its knobs are checked against a real signature in trainables."""

    model_config = ConfigDict(extra="allow")
    name: str

    @property
    def knobs(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.__pydantic_extra__ or {})


class Data(Named):
    """A data set."""

    name: str = "mnist"


def _number_or_list(value: Any, validate: Any) -> Any:
    try:
        return validate(value)
    except ValidationError:  # one mistake, not one for the number and one for the list
        expected = "a whole number from 1, or a list with one for each class"
        raise PydanticCustomError("counts", "found {0}, expected {1}", {"0": show(value), "1": expected}) from None


def _balanced_or_list(value: Any, validate: Any) -> Any:
    try:
        return validate(value)
    except ValidationError:  # one mistake, as above
        expected = "balanced, or a list with a number above 0 for each class"
        raise PydanticCustomError("weights", "found {0}, expected {1}", {"0": show(value), "1": expected}) from None


class Network(Named):
    """A network, or one inside another; it starts from `weights`, a file or `imagenet`, else from its seed.

    With `resize` it takes images of any size and enlarges or reduces them to so many pixels both ways.
    """

    weights: Annotated[str, Field(min_length=1)] | None = None
    resize: Count | None = None


class Model(Network):
    """A network, in the form in which trainables.models builds it; `subclasses` is a number for all or each class."""

    subclasses: Annotated[
        Count | Annotated[list[Count], Field(min_length=1)] | None, WrapValidator(_number_or_list)
    ] = None


class Method(Named):
    """A distillation method; "none" trains on the labels alone."""

    name: str = "hinton"


class Omit(Part):
    """Classes that a network is trained without; `correct_bias` then fits their biases on the validation images."""

    classes: Annotated[list[Natural], Field(min_length=1)]
    correct_bias: bool = False


Layers = Annotated[list[str], Field(min_length=1)]
Weights = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
Milestones = Annotated[list[Count], Field(min_length=1)]


class HeadFirst(Part):
    """A first phase of some epochs, at a rate of its own, in which only these layers train."""

    epochs: Count
    layers: Layers
    lr: Annotated[float, Field(gt=0)]


class Augment(Part):
    """Seeded changes to the training images: each has `views` versions, the same for teachers and for students.

    `crop` is the largest shift in pixels, `rotate` the largest angle in degrees, `shear` the largest slope, and
    `color` the largest relative change of brightness, contrast and saturation.
    """

    views: Count = 16
    crop: Natural = 0
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0
    color: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Natural = 0

    @model_validator(mode="after")
    def _changes_something(self) -> Augment:
        if self.model_fields_set <= {"views", "seed"}:
            raise conflict("", "nothing to change images by; expected crop, flip, rotate, shear or color")
        return self


Policy = int | Augment  # every shift by up to so many pixels, or seeded views


class Train(Part):
    """How a network is trained; `warmup` is in epochs, `shift` the largest shift of an image in pixels.

    With `augment` images are shown in seeded views. `class_weights` weigh the loss of each image by its class: a number
    for each class, or `balanced` for the inverse of how frequent it is. Where `layers` are named only they train, and
    the others stay as they are, the statistics of batch norm included; `top` is a first phase with layers of its own.
    Warm-up and schedule run over all epochs; `step` divides the rate by ten after each of the `milestones`, in epochs.
    """

    epochs: Natural = 12
    batch_size: Count = 256
    optimizer: Optimizer = "adam"
    lr: Annotated[float, Field(gt=0)] = 0.001
    weight_decay: Amount = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    schedule: Literal["constant", "cosine", "linear", "step"] = "constant"
    milestones: Milestones | None = None
    warmup: Natural = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    shift: Natural = 0
    augment: Augment | None = None
    class_weights: Annotated[Literal["balanced"] | Weights | None, WrapValidator(_balanced_or_list)] = None
    max_norm: Annotated[float, Field(gt=0)] | None = None
    omit: Omit | None = None
    layers: Layers | None = None
    head_first: HeadFirst | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> Train:
        if self.optimizer != "sgd" and self.momentum != Train.model_fields["momentum"].default:
            raise conflict("momentum", f"only sgd takes it, and the optimizer here is {self.optimizer}")
        if (self.schedule == "step") != bool(self.milestones):
            only = "after how many epochs does it fall?" if self.schedule == "step" else "only schedule: step reads it"
            raise conflict("milestones", f"{'missing' if self.milestones is None else 'found'}; {only}")
        if self.head_first and self.head_first.epochs >= self.epochs:
            expected = f"fewer than the {self.epochs} epochs of training: the second phase would never come"
            raise conflict("head_first.epochs", f"found {self.head_first.epochs}, expected {expected}")
        if self.shift and self.augment:
            raise conflict("shift", "augment has it too: remove shift and write augment.crop")
        return self

    @property
    def policy(self) -> Policy | None:
        """Return what changes the images from epoch to epoch, None where nothing does."""
        return self.augment or self.shift or None


class Teacher(Part):
    """The network to learn from: taught by its own recipe, read from a file of weights, or several that are averaged.

    With a `method` and a `teacher` of its own it is an assistant; without epochs it stays as it was initialised.
    """

    model: Model = Model.model_validate({"name": "cnn", "padding": "same"})
    method: Method = Method(name="none")
    teacher: Teacher | None = None
    train: Train = Train()
    weights: str | None = None
    ensemble: Annotated[list[Teacher], Field(min_length=2)] | None = None
    seed: Natural = 0

    @model_validator(mode="after")
    def _parts_agree(self) -> Teacher:
        fields = Teacher.model_fields.items()
        others = [
            name for name, field in fields if name not in ("ensemble", "seed") and getattr(self, name) != field.default
        ]
        if self.ensemble and others:
            raise conflict(others[0], "beside an ensemble nobody reads it; write it into each member")
        for index, member in enumerate(self.ensemble or ()):
            if member.ensemble:
                raise conflict(f"ensemble.{index}.ensemble", "an ensemble inside an ensemble; expected one list")
            if member.seed:
                raise conflict(f"ensemble.{index}.seed", "members are numbered anew; write teacher.seeds")
        if self.weights and self.model.weights:
            raise conflict("model.weights", "the teacher is read whole from teacher.weights; name one of the two")
        if self.teacher is not None and "method" not in self.model_fields_set:
            raise conflict("method", "missing; by what method does this assistant learn from its teacher?")
        return self

    def members(self) -> list[Teacher]:
        """Return the teachers whose probabilities are averaged; equal ones still differ, for each has its own seed."""
        found = self.ensemble or [self]
        return [each.model_copy(update={"seed": self.seed * len(found) + i}) for i, each in enumerate(found)]


class Student(Part):
    """The network to train."""

    model: Model = Model.model_validate({"name": "mlp", "hidden": [784, 784]})


class Recipe(Part):
    """One student: data, teacher, network, method, training and seed."""

    data: Data = Data()
    teacher: Teacher | None = Teacher()
    student: Student = Student()
    method: Method = Method()
    train: Train = Train()
    seed: Natural = 0

    @model_validator(mode="after")
    def _parts_agree(self) -> Recipe:
        if self.method.name != "none" and self.teacher is None:
            raise conflict("teacher", f"method {self.method.name} needs one")
        if self.train.epochs < 1:
            raise conflict("train.epochs", "found 0, expected at least 1: only a teacher may be left untrained")
        return self

    @property
    def network(self) -> Model:
        """Return the student's network; where it says nothing of subclasses it has as many as its teacher."""
        own = self.student.model
        if own.subclasses is not None or self.teacher is None:
            return own
        return own.model_copy(update={"subclasses": self.teacher_recipe().network.subclasses})

    def key(self) -> str:
        """Return 16 hexadecimal digits that depend on the content alone; 1.0 and 1 count as the same number.

        What is absent does not count, so that a later version may know more optional parts.
        """
        text = json.dumps(
            _plain(self.model_dump(exclude_none=True)), sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def baseline(self) -> Recipe:
        """Return the same student trained on the labels alone."""
        return self.model_copy(update={"method": Method(name="none"), "teacher": None})

    def canonical(self) -> Recipe:
        """Return the baseline where the teacher has no weight (alpha 0 or method "none"), otherwise this recipe."""
        alpha = self.method.knobs.get("alpha")
        inert = self.method.name == "none" or (alpha == 0 and not isinstance(alpha, bool))
        return self.baseline() if inert else self

    def teacher_recipe(self) -> Recipe:
        """Return the teacher's own recipe; raise ValueError where there is no teacher."""
        if self.teacher is None:
            raise ValueError("a recipe without a teacher")
        teacher = self.teacher
        return Recipe.model_construct(
            data=self.data,
            teacher=teacher.teacher,
            student=Student(model=teacher.model),
            method=teacher.method,
            train=teacher.train,
            seed=_apart(teacher.seed),
        )

    def teacher_recipes(self) -> list[Recipe]:
        """Return the recipes by which its teacher is taught: one, one for each member of an ensemble, or none."""
        members = self.teacher.members() if self.teacher else []
        return [self.model_copy(update={"teacher": each}).teacher_recipe() for each in members]


def conflict(path: str, message: str) -> PydanticCustomError:
    """Return the error for fields that do not go together; `path` is the one to change, below the validated part."""
    return PydanticCustomError("conflict", "{message}", {"path": path, "message": message})


def _apart(seed: int) -> int:
    """Return the seed of a teacher's own random streams: a student of its network must not start from its weights."""
    return int.from_bytes(hashlib.sha256(f"teacher/{seed}".encode()).digest()[:8], "big") >> 1


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
