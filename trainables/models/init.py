"""How the weights of the small networks start."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def glorot(model: nn.Module) -> nn.Module:
    """Glorot-uniform weights and zero biases, as the assignment's Keras nets start; returns the same model."""
    for module in _real(model):
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def he(model: nn.Module) -> nn.Module:
    """Normal weights of He et al. (2015), scaled by what goes out of each convolution, as deep ReLU networks start.

    Linear layers keep torch's weights; returns the same model.
    """
    for module in _real(model):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def _real(model: nn.Module) -> Iterable[nn.Module]:
    """All layers; none of a network without memory, where initialising does nothing but take time."""
    return () if next(model.parameters()).is_meta else model.modules()
