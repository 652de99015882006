"""Networks as knobs of other networks: `of: {name: mlp, hidden: [16]}`."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import AfterValidator, ValidationError
from torch import Tensor, nn

from spaces.errors import Problem, did_you_mean
from spaces.parts import NetworkSpec, conflict_error
from spaces.pydantic_errors import validation_problems
from trainables.knobs import knob_problems
from trainables.models.build import MODELS, build_nested


class ParallelNetworks(nn.ModuleList):
    """Networks with stacked outputs."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, networks, classes]."""
        return torch.stack([network(images) for network in self], 1)


def nested_problems(part: dict[str, Any]) -> list[Problem]:
    """Return the problems of a network's mapping in YAML.

    They are (dotted path, sentence) pairs.
    """
    try:
        model = NetworkSpec.model_validate(part)
    except ValidationError as error:
        return list(validation_problems(error, NetworkSpec))
    if model.name not in MODELS:
        return [("name", f"{model.name} is no model{did_you_mean(model.name, MODELS)}")]
    return knob_problems(MODELS[model.name], model.knobs, NetworkSpec.model_fields)


def nested_network(part: dict[str, Any], shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a nested network, with weights from torch's global generator."""
    return build_nested(NetworkSpec.model_validate(part), shape, classes)


def _checked_network(part: dict[str, Any]) -> dict[str, Any]:
    if problems := nested_problems(part):
        raise ValidationError.from_exception_data(
            "part", [{"type": conflict_error(*problem), "input": part} for problem in problems]
        )
    return part


# Type of a knob. Its value is validated with the model: name, knobs, and the networks among them.
NestedNetwork = Annotated[dict[str, Any], AfterValidator(_checked_network)]
