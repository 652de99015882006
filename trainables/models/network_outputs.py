"""Logits in the outputs of foreign networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from spaces.errors import UserError


def return_logits(network: nn.Module, name: str) -> None:
    """Let a network return its logits only.

    They are found in a dict, a tuple, or an object with the attribute `logits`.
    """
    network.register_forward_hook(lambda _network, _inputs, output: _find_logits(name, output))


def _find_logits(name: str, output: Any) -> Tensor:
    """Return the logits in the output of a network.

    They are the entry or attribute `logits`, or the first or only entry. Raises UserError if it is no tensor.
    """
    logits = output
    if isinstance(output, Mapping):
        logits = output.get("logits", next(iter(output.values())) if len(output) == 1 else None)
    elif hasattr(output, "logits"):
        logits = output.logits
    elif isinstance(output, Sequence) and output:
        logits = output[0]
    if not isinstance(logits, Tensor):
        keys = f" with the keys {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
        raise UserError(f"{name} returned {type(output).__name__}{keys}, expected logits [batch, classes]")
    return logits
