"""Classes that were left out of the transfer set, and their biases fitted afterwards (Hinton et al. 2015, sec. 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.evaluate import predict


def best_bias(logits: Tensor, labels: Tensor, omitted: Sequence[int]) -> float:
    """The number that, added to the logits [n, classes] of the omitted classes, makes most of them right.

    The paper raised the bias of the missing 3s by 3.5, and lowered those of the 7s and 8s, the only ones left, by 7.6.
    """
    missing = torch.zeros(logits.shape[1], dtype=torch.bool)
    missing[list(omitted)] = True
    (high, first), (rest, second) = logits[:, missing].max(1), logits[:, ~missing].max(1)
    gained = (missing.nonzero()[:, 0][first] == labels).long() - ((~missing).nonzero()[:, 0][second] == labels).long()
    turns, order = (rest - high).double().sort()  # above this bias an image is put into an omitted class
    right = torch.cat([torch.zeros(1, dtype=torch.long), gained[order].cumsum(0)])
    edges = torch.cat([turns[:1] - 1, turns, turns[-1:] + 1])
    # Equal edges hold no bias between them; of the best intervals the widest is the surest.
    width = torch.where(right == right[edges.diff() > 0].max(), edges.diff(), -1.0)
    place = int(width.argmax())
    return float((edges[place] + edges[place + 1]) / 2)


@torch.no_grad()
def correct(model: nn.Module, images: Tensor, labels: Tensor, omitted: Sequence[int]) -> None:
    """Add the best bias for these images [n, channels, height, width] and labels [n] to a network's last layer.

    ValueError where its class logits are not what its last linear layer gives.
    """
    before, classes = predict(model, images), list(omitted)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1:]
    if last and last[0].bias is not None and last[0].out_features == before.shape[1]:
        bias = best_bias(before.cpu(), labels.cpu(), omitted)
        last[0].bias[classes] += bias
        if torch.allclose(predict(model, images[:1])[:, classes], before[:1, classes] + bias, atol=1e-3):
            return
    raise ValueError("train.omit.correct_bias: the network does not end in a linear layer with a bias for every class")
