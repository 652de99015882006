"""A network as a knob of another network: `of: {name: mlp, hidden: [16]}`."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import AfterValidator, ValidationError
from torch import Tensor, nn

from spaces import recipe
from spaces.errors import Complaint, nearest
from spaces.pydantic_errors import complaints
from trainables.knobs import problems


class SideBySide(nn.ModuleList):
    """Networks that all answer."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, networks, classes]."""
        return torch.stack([network(images) for network in self], 1)


def wrong(part: dict[str, Any]) -> list[Complaint]:
    """What is wrong with a network as a file describes it, as (dotted path, sentence) pairs; empty when all is well."""
    from trainables.models import MODELS  # which imports this module

    try:
        model = recipe.Network.model_validate(part)
    except ValidationError as error:
        return list(complaints(error, recipe.Network))
    if model.name not in MODELS:
        return [("name", f"{model.name} is no model{nearest(model.name, MODELS)}")]
    return problems(MODELS[model.name], model.knobs, recipe.Network.model_fields)


def network(part: dict[str, Any], shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a part, its weights drawn from torch's global generator: each one built begins differently."""
    from trainables.models import create  # which imports this module

    return create(recipe.Network.model_validate(part), shape, classes)


def _sound(part: dict[str, Any]) -> dict[str, Any]:
    if found := wrong(part):
        raise ValidationError.from_exception_data(
            "part", [{"type": recipe.conflict(*each), "input": part} for each in found]
        )
    return part


# A knob of this type is judged with its model: its name, its knobs, and the networks among those.
Network = Annotated[dict[str, Any], AfterValidator(_sound)]
