"""A recipe determines one student completely; two equal recipes train equal students."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

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


class Model(Named):
    """A network, in the form in which trainables.models builds it."""


class Method(Named):
    """A distillation method; "none" trains on the labels alone."""

    name: str = "hinton"


class Train(Part):
    """How a network is trained; `warmup` is in epochs, `jitter` the largest shift of an image in pixels."""

    epochs: Count = 12
    batch_size: Count = 256
    optimizer: Optimizer = "adam"
    lr: Annotated[float, Field(gt=0)] = 0.001
    weight_decay: Amount = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: Natural = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    jitter: Natural = 0
    max_norm: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _momentum_is_used(self) -> Train:
        if self.optimizer != "sgd" and self.momentum != Train.model_fields["momentum"].default:
            raise conflict("momentum", f"only sgd takes it, and the optimizer here is {self.optimizer}")
        return self


class Teacher(Part):
    """The network to learn from: trained by its own recipe, or read from a file of weights."""

    model: Model = Model.model_validate({"name": "cnn", "padding": "same"})
    train: Train = Train()
    weights: str | None = None
    seed: Natural = 0


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
        if self.method.name != "none" and self.train.jitter:
            # The teacher answers every image once, so its answers would belong to another image than the student sees.
            raise conflict("train.jitter", "only without a method: the teacher's answers hold for unshifted images")
        return self

    def key(self) -> str:
        """Return 16 hexadecimal digits that depend on the content alone; 1.0 and 1 count as the same number."""
        text = json.dumps(_plain(self.model_dump()), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def baseline(self) -> Recipe:
        """Return the same student trained on the labels alone."""
        return self.model_copy(update={"method": Method(name="none"), "teacher": None})

    def canonical(self) -> Recipe:
        """Return the baseline where the teacher has no weight (alpha 0 or method "none"), otherwise this recipe."""
        alpha = self.method.knobs.get("alpha")
        inert = self.method.name == "none" or (alpha == 0 and not isinstance(alpha, bool))
        return self.baseline() if inert else self

    def taught(self) -> Recipe:
        """Return the teacher's own recipe; raise ValueError where there is no teacher."""
        if self.teacher is None:
            raise ValueError("a recipe without a teacher")
        teacher = self.teacher
        student, none = Student(model=teacher.model), Method(name="none")
        seed = _apart(teacher.seed)
        return Recipe(data=self.data, teacher=None, student=student, method=none, train=teacher.train, seed=seed)


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
