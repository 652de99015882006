"""Base classes of parts, and the named parts: data, network, method."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from spaces.label import describe_value

Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]


class StrictModel(BaseModel):
    """Frozen model without unknown keys, type conversions and infinities."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their keys in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


class NamedPart(StrictModel):
    """Part chosen by name.

    Its other keys are the knobs of a function in trainables. The signature of the function validates them.
    """

    model_config = ConfigDict(extra="allow")
    name: str

    @property
    def knobs(self) -> dict[str, Any]:
        """Return all keys but the name and the declared fields."""
        return dict(self.__pydantic_extra__ or {})


def conflict_error(path: str, message: str) -> PydanticCustomError:
    """Return the error for contradicting keys.

    `path` is the key to change, relative to the validated part.
    """
    return PydanticCustomError("conflict", "{message}", {"path": path, "message": message})


def one_error(expected: str) -> WrapValidator:
    """Return a validator with one error for a whole union."""

    def validate(value: object, inner: ValidatorFunctionWrapHandler) -> object:
        try:
            return inner(value)
        except ValidationError:
            words = {"0": describe_value(value), "1": expected}
            raise PydanticCustomError("union", "found {0}, expected {1}", words) from None

    return WrapValidator(validate)


class Data(NamedPart):
    """Data set."""

    name: str = Field(default="mnist", description="Name of the data set")


class Normalization(StrictModel):
    """Mean and standard deviation of the inputs.

    One number for each channel, or one for all. Images are divided by 255 before.
    """

    mean: Annotated[list[float], Field(min_length=1)] = Field(description="Mean of each channel, or one for all")
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        description="Standard deviation of each channel, or one for all"
    )

    @model_validator(mode="after")
    def _lengths_agree(self) -> Normalization:
        if len(self.mean) != len(self.std):
            raise conflict_error("std", f"found {len(self.std)} numbers, expected {len(self.mean)}, one for each mean")
        return self


class NetworkSpec(NamedPart):
    """Network, or network inside another network."""

    name: str = Field(description="Name of the network")
    weights: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Initial weights: a file, or imagenet; random from the seed by default"
    )
    resize: Count | None = Field(
        default=None, description="Height and width in pixels to which images are resized; unchanged by default"
    )
    normalize: Annotated[
        Literal["none", "imagenet", "cifar"] | Normalization | None,
        one_error("none, imagenet, cifar, or {mean: [numbers], std: [numbers above 0]}, as many of both"),
    ] = Field(
        default=None,
        description="Mean and standard deviation that normalize the images; by default those of the network's "
        "published weights, or none",
    )


class Model(NetworkSpec):
    """Network of a teacher or a student."""

    subclasses: Annotated[
        Count | Annotated[list[Count], Field(min_length=1)] | None,
        one_error("a whole number from 1, or a list with one for each class"),
    ] = Field(
        default=None,
        description="Outputs per class: one number for all classes, or a list; by default 1, or those of the teacher",
    )


class Method(NamedPart):
    """Distillation method."""

    name: str = Field(default="hinton", description="Name of the method; none trains on labels only")
