"""Check of a cluster node before it trains.

A node with other versions or without the token would fail its students, or hang, only later.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster.token import AUTH_MODE

PACKAGES = ("ray", "torch", "torchvision", "numpy", "pydantic", "safetensors")
CODE_FOLDERS = ("spaces", "trainables", "search", "results")
# Run in a process of its own: Ray hides the GPUs from a task that reserves none, and a process that has used one keeps
# memory of it.
DESCRIBE_DEVICE = """
from trainables.device import device_name, fastest_precision, process_device
print(process_device().type, fastest_precision(), device_name(), sep="\\n")
"""
GPU_SECONDS = 60.0


class Device(NamedTuple):
    """Processor or GPU of a node."""

    name: str
    precision: str  # the fastest one


class NodeReport(NamedTuple):
    """Versions, authentication and devices of a node."""

    versions: dict[str, str]
    auth_mode: str
    processor: Device = Device("CPU", "float32")
    gpu: Device | None = None  # None also if torch cannot use it

    def training_device(self, gpus: float | None) -> Device:
        """Return the device of a student with this share of a GPU."""
        return self.gpu if gpus and self.gpu else self.processor


@ray.remote(num_cpus=0, max_retries=0)
def _report_node(has_gpu: bool) -> NodeReport:
    """Describe the node of this task."""
    import torch  # here and below: a driver checks its arguments without torch

    from trainables.device import device_name, fastest_precision

    cpu = torch.device("cpu")
    processor = Device(device_name(cpu), fastest_precision(cpu))
    return NodeReport(program_versions(), auth_mode(), processor, _describe_gpu() if has_gpu else None)


def _describe_gpu() -> Device | None:
    """Return this machine's first GPU, None if torch finds none."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    command = [sys.executable, "-c", DESCRIBE_DEVICE]
    root = Path(__file__).parents[2]
    options: dict[str, Any] = {"env": environment, "cwd": root, "timeout": GPU_SECONDS}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    kind, precision, name = [*done.stdout.splitlines()[-3:], "", "", ""][:3]
    return Device(name, precision) if kind == "cuda" else None


def start_check(node_id: str, has_gpu: bool) -> Any:
    """Start a check on a node; return a reference to its result."""
    here = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return _report_node.options(scheduling_strategy=here).remote(has_gpu)


def node_result(check: Any, timeout: float) -> NodeReport | str:
    """Return the report of a node, or its problem."""
    try:
        report: NodeReport = ray.get(check, timeout=timeout)
    except ray.exceptions.RayTaskError as error:
        return f"this program does not run there ({error.cause}); install the same version of it"
    except ray.exceptions.RayError as error:
        name = type(error).__name__
        return f"does not answer ({name}); restart Ray there, or remove the node from the cluster"
    if report.auth_mode != auth_mode():  # its reports about students would be refused, and the driver would wait
        return (
            f"{AUTH_MODE} is {report.auth_mode} there and {auth_mode()} here; restart its Ray with "
            f"{AUTH_MODE}={auth_mode()}, or, in a network without other users, join it by --insecure-cluster"
        )
    if differences := version_differences(report.versions, program_versions()):
        return f"{differences}; install the same versions"
    return report


@cache
def program_versions() -> dict[str, str]:
    """Return versions of Python and packages, and the code hash.

    They must be equal on all nodes.
    """
    return {
        "python": platform.python_version(),
        **{name: _package_version(name) for name in PACKAGES},
        "code": code_hash(),
    }


def version_differences(node: dict[str, str], driver: dict[str, str]) -> str:
    """Describe the differences of a node from the driver."""
    names = [name for name in driver if node.get(name) != driver[name]]
    return "; ".join(f"{name} {node.get(name)}, here {driver[name]}" for name in names)


def auth_mode() -> str:
    """Return this process's Ray authentication: token or disabled."""
    return os.environ.get(AUTH_MODE, "disabled").lower()


def code_hash() -> str:
    """Return 12 hexadecimal digits of a hash over the sources of this program."""
    root = Path(__file__).parents[2]
    files = sorted(path for name in CODE_FOLDERS for path in (root / name).rglob("*.py"))
    contents = (f"{path.relative_to(root)}\0".encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
