"""Random streams of a training, derived from its seed only.

They depend neither on the worker nor on earlier trainings.

Decision: "All randomness of an epoch derives from seed, purpose and epoch" (docs/decisions.md).
"""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """Return a 63-bit seed for one purpose and epoch of a training.

    Purposes are "init", "order", "jitter" (views of the images), "dropout" and "regressor" (the module of a
    method).
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seeded_generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a CPU generator for one purpose and epoch.

    It is used on GPUs too, so that every device trains on the same batches.
    """
    return torch.Generator().manual_seed(derive_seed(seed, purpose, epoch))
