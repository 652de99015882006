"""Networks as knobs of other networks: `of: {name: mlp, hidden: [16]}`."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from spaces.named_parts import Signature, SignatureSource, network_validator
from spaces.parts import NetworkSpec
from trainables.knobs import knob_schema
from trainables.models.build import MODELS, build_nested


class ParallelNetworks(nn.ModuleList):
    """Networks with stacked outputs."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, networks, classes]."""
        return torch.stack([network(images) for network in self], 1)


def nested_network(part: dict[str, Any], shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build a nested network, with weights from torch's global generator."""
    return build_nested(NetworkSpec.model_validate(part), shape, classes)


_NETWORKS = SignatureSource(lambda _kind: list(MODELS), lambda _kind, name: Signature(knob_schema(MODELS[name])))
# Type of a knob. Its value is validated with the model: name, knobs, and the networks among them.
NestedNetwork = Annotated[dict[str, Any], network_validator(_NETWORKS)]
