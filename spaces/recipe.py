"""Recipe of one student: equal recipes train equal students."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from spaces.label import describe_value
from spaces.parts import Data, Method, Model, Natural, StrictModel, conflict_error
from spaces.training import Train

# Keys of a teacher in a file, and the name of the network for it in trainables/models.
TEACHER_FILES = {"onnx": "onnx", "logits": "recorded"}


def _check_label_loss(train: Train, method: Method) -> None:
    if train.loss and method.name != "none":
        raise conflict_error("train.loss", f"read by method: {{name: none}} only; the method here is {method.name}")


class Teacher(StrictModel):
    """Teacher network.

    It is trained by its own recipe, read from a file of weights, or an ensemble of teachers. A teacher with a
    `method` and a `teacher` of its own is an assistant. `onnx: FILE` and `logits: FILE` stand for a network
    of their own.
    """

    model: Model = Field(
        default=Model.model_validate({"name": "cnn", "padding": "same"}), description="Network of the teacher"
    )
    method: Method = Field(default=Method(name="none"), description="Method by which an assistant is distilled")
    teacher: Teacher | None = Field(default=None, description="Teacher of an assistant; none by default")
    train: Train = Field(default=Train(), description="Training of the teacher")
    weights: str | None = Field(
        default=None, description="File with the weights of a trained teacher, which is then not trained here"
    )
    onnx: str | None = Field(default=None, description="File with the teacher as an ONNX network, run as it is")
    logits: str | None = Field(
        default=None, description="File with the recorded logits of a teacher, by file names or hashes of the images"
    )
    ensemble: Annotated[list[Teacher], Field(min_length=2)] | None = Field(
        default=None, description="Teachers whose probabilities are averaged, in place of a single one"
    )
    seed: Natural = Field(default=0, description="Seed of the teacher")

    @model_validator(mode="before")
    @classmethod
    def _read_file_by_network(cls, tree: Any) -> Any:
        """Replace `onnx` or `logits` by a network that is not trained."""
        key = next((key for key in TEACHER_FILES if isinstance(tree, dict) and tree.get(key) is not None), None)
        if key is None:
            return tree
        if not isinstance(tree[key], str) or not tree[key]:
            raise conflict_error(key, f"found {describe_value(tree[key])}, expected the path of a file")
        beside = [name for name in tree if name in cls.model_fields and name not in (key, "model", "seed")]
        if beside := [name for name in beside if tree[name] is not None]:
            raise conflict_error(beside[0], f"unused beside teacher.{key}; remove one of them")
        model = tree.get("model") or {}
        if isinstance(model, dict):
            if "name" in model:
                raise conflict_error("model.name", f"unused beside teacher.{key}; remove one of them")
            model = {"name": TEACHER_FILES[key], "file": tree[key], **model}
        unknown = {name: value for name, value in tree.items() if name not in cls.model_fields}
        seed = {"seed": tree["seed"]} if "seed" in tree else {}
        return {**unknown, "model": model, "train": {"epochs": 0}, **seed}

    @model_validator(mode="after")
    def _parts_agree(self) -> Teacher:
        fields = Teacher.model_fields.items()
        changed = [
            name for name, field in fields if name not in ("ensemble", "seed") and getattr(self, name) != field.default
        ]
        if self.ensemble and changed:
            raise conflict_error(changed[0], "unused beside an ensemble; write it into each member")
        for index, member in enumerate(self.ensemble or ()):
            if member.ensemble:
                raise conflict_error(f"ensemble.{index}.ensemble", "an ensemble inside an ensemble; expected one list")
            if member.seed:
                raise conflict_error(f"ensemble.{index}.seed", "found in a member; write teacher.seeds instead")
        if self.weights and self.model.weights:
            raise conflict_error("model.weights", "cannot be combined with teacher.weights; remove one of them")
        _check_label_loss(self.train, self.method)
        if self.teacher is not None and "method" not in self.model_fields_set:
            raise conflict_error("method", "required by an assistant, which has a teacher of its own")
        return self

    def members(self) -> list[Teacher]:
        """Return the teachers of the ensemble, or this teacher alone.

        Each member has a seed of its own, so that equal members differ.
        """
        members = self.ensemble or [self]
        seeds = (self.seed * len(members) + index for index in range(len(members)))
        return [member.model_copy(update={"seed": seed}) for member, seed in zip(members, seeds, strict=True)]


class Student(StrictModel):
    """Network to train."""

    model: Model = Field(
        default=Model.model_validate({"name": "mlp", "hidden": [784, 784]}), description="Network of the student"
    )


class Recipe(StrictModel):
    """One student: data, teacher, network, method, training and seed."""

    data: Data = Field(default=Data(), description="Data set of student and teacher")
    teacher: Teacher | None = Field(default=Teacher(), description="Network that the student is distilled from")
    student: Student = Field(default=Student(), description="Network to train")
    method: Method = Field(default=Method(), description="Distillation method")
    train: Train = Field(default=Train(), description="Training of the student")
    seed: Natural = Field(default=0, description="Seed of the student")
    # Set by `confirm.train_on`, not by a key of its own: without validation images no student can be chosen.
    train_on: Literal["all"] | None = Field(
        default=None, description="Images to train on: all with those for validation; by default the training images"
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Recipe:
        if self.method.name != "none" and self.teacher is None:
            raise conflict_error("teacher", f"required by method {self.method.name}")
        _check_label_loss(self.train, self.method)
        if self.train.epochs < 1:
            raise conflict_error("train.epochs", "found 0, expected at least 1; only a teacher may stay untrained")
        return self

    @property
    def network(self) -> Model:
        """Return the student network.

        Unless it sets its own `subclasses`, it has those of its teacher.
        """
        own = self.student.model
        if own.subclasses is not None or self.teacher is None:
            return own
        return own.model_copy(update={"subclasses": self.teacher_recipe().network.subclasses})

    def key(self) -> str:
        """Return 16 hexadecimal digits, a hash of the content.

        1.0 and 1 are the same number. Keys with the value None are left out, so that a new optional key with the
        default None leaves the keys of old recipes unchanged.
        """
        content = _integers_where_equal(self.model_dump(exclude_none=True))
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def baseline(self) -> Recipe:
        """Return the same student trained on labels only."""
        return self.model_copy(update={"method": Method(name="none"), "teacher": None})

    def teacher_recipe(self) -> Recipe:
        """Return the recipe of the teacher; raise ValueError without one."""
        if self.teacher is None:
            raise ValueError("recipe without a teacher")
        teacher = self.teacher
        return Recipe.model_construct(
            data=self.data,
            teacher=teacher.teacher,
            student=Student(model=teacher.model),
            method=teacher.method,
            train=teacher.train,
            seed=_teacher_stream_seed(teacher.seed),
        )

    def teacher_recipes(self) -> list[Recipe]:
        """Return the recipes of all teachers, one per ensemble member."""
        members = self.teacher.members() if self.teacher else []
        return [self.model_copy(update={"teacher": member}).teacher_recipe() for member in members]


def _teacher_stream_seed(seed: int) -> int:
    """Return the seed of a teacher's random streams.

    It differs from all seeds of students, so that no student starts from the weights of its teacher.
    """
    return int.from_bytes(hashlib.sha256(f"teacher/{seed}".encode()).digest()[:8], "big") >> 1


def _integers_where_equal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _integers_where_equal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integers_where_equal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
