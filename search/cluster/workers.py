"""Number of students that this machine trains at the same time."""

from __future__ import annotations

import os

import torch

from spaces.space import Space


def local_workers(space: Space) -> int:
    """Return the number of workers on this machine."""
    return worker_count(space, os.cpu_count() or 1, torch.cuda.device_count())


def worker_count(space: Space, cpus: float, gpus: float) -> int:
    """Return the number of workers on these resources, at least 1."""
    required = space.resources
    workers = cpus // required.cpus
    if required.gpus:
        workers = min(workers, gpus // required.gpus)
    return max(1, int(min(workers, required.workers or workers)))
