"""Initial weights of the small networks."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def glorot_init(model: nn.Module) -> nn.Module:
    """Set Glorot-uniform weights and zero biases, as in Keras.

    Returns the same model.
    """
    for module in _layers_with_memory(model):
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def he_init(model: nn.Module) -> nn.Module:
    """Set normal convolution weights of He et al. (2015).

    Scaled by the outputs of each convolution (fan-out); biases are zero. Linear layers keep torch's weights. Returns
    the same model.
    """
    for module in _layers_with_memory(model):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def _layers_with_memory(model: nn.Module) -> Iterable[nn.Module]:
    """Return all layers, or none of a network on the meta device.

    Initialization on the meta device only takes time.
    """
    return () if next(model.parameters()).is_meta else model.modules()
