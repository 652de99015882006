"""Number of students trained at the same time."""

from __future__ import annotations

import os

import ray
import torch

from spaces.space import Space


def local_workers(space: Space) -> int:
    """Return the number of workers on this machine."""
    return worker_count(space, os.cpu_count() or 1, torch.cuda.device_count())


def cluster_workers(space: Space) -> int:
    """Return the number of workers on the connected cluster."""
    resources = ray.cluster_resources()
    return worker_count(space, resources.get("CPU", 1), resources.get("GPU", 0))


def worker_count(space: Space, cpus: float, gpus: float) -> int:
    """Return the number of workers on these resources, at least 1."""
    required = space.resources
    workers = cpus // required.cpus
    if required.gpus:
        workers = min(workers, gpus // required.gpus)
    return max(1, int(min(workers, required.workers or workers)))
