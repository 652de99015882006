"""Everything random in a training derives from its seed alone, never from which worker ran it or what ran before."""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, purpose: str, epoch: int = 0) -> int:
    """A 63-bit seed for one purpose ("init", "order", "dropout", …) and epoch of the training with this seed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """A CPU generator for one purpose and epoch: on a GPU too, so that every device sees the same batches."""
    return torch.Generator().manual_seed(derive(seed, purpose, epoch))
