"""Training settings of a teacher or a student: the key `train`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spaces.parts import Amount, Count, Natural, StrictModel, conflict_error, one_error

OptimizerName = Literal["adam", "adamw", "sgd", "rmsprop"]
Positive = Annotated[float, Field(gt=0)]
LayerNames = Annotated[list[str], Field(min_length=1)]


class Omit(StrictModel):
    """Classes left out of the training images."""

    classes: Annotated[list[Natural], Field(min_length=1)] = Field(description="Numbers of the classes, from 0")
    correct_bias: bool = Field(
        default=False, description="Fit the biases of these classes on the validation images after training"
    )


class HeadFirst(StrictModel):
    """First training phase, limited to some layers."""

    epochs: Count = Field(description="Epochs of this phase, counted within train.epochs")
    layers: LayerNames = Field(description="Names of the only layers trained in this phase")
    lr: Positive = Field(description="Learning rate of this phase, in place of train.lr")


class Augment(StrictModel):
    """Seeded augmentation of the training images.

    Each image has `views` versions. Teachers and students see the same versions.
    """

    views: Count = Field(default=16, description="Augmented versions of each image")
    crop: Natural = Field(default=0, description="Largest shift in pixels, both ways")
    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        default="none", description="Directions in which an image is mirrored at random"
    )
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(default=0.0, description="Largest rotation in degrees")
    shear: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="Largest slope of a shear")
    color: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Largest relative change of brightness, contrast and saturation"
    )
    seed: Natural = Field(default=0, description="Seed of the augmented versions")

    @model_validator(mode="after")
    def _changes_images(self) -> Augment:
        if self.model_fields_set <= {"views", "seed"}:
            raise conflict_error("", "no change of the images; expected crop, flip, rotate, shear or color")
        return self


AugmentPolicy = int | Augment  # all shifts up to this many pixels, or seeded views


class Train(StrictModel):
    """Training of a network.

    Warm-up and schedule span all epochs, with or without a first phase. Layers left out of `layers` keep their
    weights and batch-norm statistics.
    """

    epochs: Natural = Field(default=12, description="Passes over the training images; 0 leaves a teacher untrained")
    batch_size: Count = Field(default=256, description="Images per optimizer step")
    optimizer: OptimizerName = Field(default="adam", description="Optimizer of the weights")
    lr: Positive = Field(default=0.001, description="Learning rate after warm-up, before the schedule lowers it")
    loss: Literal["cross_entropy", "mse"] | None = Field(
        default=None,
        description="Loss on the labels of a network without a teacher: cross_entropy by default, or mse of the "
        "probabilities",
    )
    weight_decay: Amount = Field(default=0.0, description="Weight decay per step; an L2 penalty except with adamw")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.9, description="Momentum of sgd")
    nesterov: bool | None = Field(default=None, description="Nesterov's form of sgd's momentum; true by default")
    schedule: Literal["constant", "cosine", "linear", "step"] = Field(
        default="constant",
        description="Decay of the learning rate: at each milestone (step), or towards 0 (cosine, linear)",
    )
    milestones: Annotated[list[Count], Field(min_length=1)] | None = Field(
        default=None, description="Epochs after which schedule: step multiplies the learning rate by decay"
    )
    decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Factor of the learning rate at each milestone of schedule: step; 0.1 by default"
    )
    warmup: Natural = Field(default=0, description="Epochs in which the learning rate rises linearly from 0")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Arithmetic of the forward pass; auto takes the faster one on the device"
    )
    shift: Natural = Field(default=0, description="Largest random shift of a training image, in pixels")
    augment: Augment | None = Field(default=None, description="Seeded augmentation of the training images")
    class_weights: Annotated[
        Literal["balanced"] | Annotated[list[Positive], Field(min_length=1)] | None,
        one_error("balanced, or a list with a number above 0 for each class"),
    ] = Field(default=None, description="Weight of each class in the loss; balanced is the inverse class frequency")
    max_norm: Positive | None = Field(
        default=None, description="Largest L2 norm of the incoming weights of a unit; unlimited by default"
    )
    images: Count | None = Field(
        default=None,
        description="Number of training images, stratified by class; the same for every seed; all by default",
    )
    omit: Omit | None = Field(default=None, description="Classes left out of the training images")
    layers: LayerNames | None = Field(default=None, description="Names of the only layers trained; all by default")
    head_first: HeadFirst | None = Field(default=None, description="First phase that trains only some layers")

    @model_validator(mode="after")
    def _parts_agree(self) -> Train:
        for name in ("momentum", "nesterov"):
            if self.optimizer != "sgd" and getattr(self, name) != Train.model_fields[name].default:
                raise conflict_error(name, f"read by optimizer: sgd only; the optimizer here is {self.optimizer}")
        if self.nesterov and not self.momentum:
            raise conflict_error("nesterov", "found true with momentum 0; expected a momentum above 0")
        if self.schedule == "step" and not self.milestones:
            message = "required by schedule: step (epochs after which the learning rate is multiplied by decay)"
            raise conflict_error("milestones", message)
        for name in ("milestones", "decay"):
            if self.schedule != "step" and getattr(self, name):
                raise conflict_error(name, f"read by schedule: step only; the schedule here is {self.schedule}")
        if self.head_first and self.head_first.epochs >= self.epochs:
            expected = f"fewer than the {self.epochs} epochs of training"
            raise conflict_error("head_first.epochs", f"found {self.head_first.epochs}, expected {expected}")
        if self.shift and self.augment:
            raise conflict_error("shift", "cannot be combined with augment; write augment.crop instead")
        return self

    @property
    def augment_policy(self) -> AugmentPolicy | None:
        """Return the augmentation of the training images, None for none."""
        return self.augment or self.shift or None
