"""Check of all cluster nodes before the training.

A node with other versions, without the token or without the shared folder would fail its students, or hang, only later.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster.token import AUTH_MODE
from spaces.errors import UserError

PACKAGES = ("ray", "torch", "torchvision", "numpy", "pydantic", "safetensors")
CODE_FOLDERS = ("spaces", "trainables", "search", "results")
NODE_TIMEOUT_SECONDS = 60  # includes the start of a Python process


def check_nodes(folder: Path) -> None:
    """Run a task on every node to check it.

    The task compares versions and code, and copies a file in the experiment's folder, which the driver then reads.
    Raises UserError with one line per problem.
    """
    nonce, own_versions = uuid.uuid4().hex, program_versions()
    request = folder / f".request-{nonce}"
    request.write_text(nonce)
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        checks = [(node["NodeManagerAddress"], *_start_check(node["NodeID"], request)) for node in nodes]
        problems = [
            f"{name}: {problem}"
            for name, reply_file, result in checks
            for problem in _node_problems(reply_file, result, own_versions)
        ]
    finally:
        for path in folder.glob(f".*-{nonce}*"):
            path.unlink(missing_ok=True)
    if problems:
        raise UserError(f"--out {folder}: not every node of the cluster can train:\n" + "\n".join(problems))


def program_versions() -> dict[str, str]:
    """Return versions of Python and packages, and the code hash.

    They must be equal on all nodes.
    """
    return {
        "python": platform.python_version(),
        **{name: _package_version(name) for name in PACKAGES},
        "code": code_hash(),
    }


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


@ray.remote(num_cpus=0, max_retries=0)
def _node_check(request: str, reply_file: str) -> tuple[dict[str, str], str, str | None]:
    """Copy a file on a node; return versions, authentication, error."""
    try:
        Path(reply_file).write_text(Path(request).read_text())
    except OSError as error:
        return program_versions(), auth_mode(), error.strerror or str(error)
    return program_versions(), auth_mode(), None


def _start_check(node: str, request: Path) -> tuple[Path, Any]:
    reply_file = request.with_name(request.name.replace("request", "reply") + node[:8])
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return reply_file, _node_check.options(scheduling_strategy=strategy).remote(str(request), str(reply_file))


def _node_problems(reply_file: Path, result: Any, own_versions: dict[str, str]) -> Iterator[str]:
    try:
        versions, mode, folder_error = ray.get(result, timeout=NODE_TIMEOUT_SECONDS)
    except ray.exceptions.RayTaskError as error:
        yield f"this program does not run there ({error.cause}); install the same version of it"
        return
    except ray.exceptions.RayError as error:
        yield f"does not answer ({type(error).__name__}); restart Ray there, or remove the node from the cluster"
        return
    if mode != auth_mode():  # its reports about students would be refused, and the driver would wait for them
        yield (
            f"{AUTH_MODE} is {mode} there and {auth_mode()} here; restart its Ray with {AUTH_MODE}={auth_mode()}, or, "
            "in a network without other users, join it by --insecure-cluster"
        )
    wrong = [
        f"{name} {versions.get(name)}, here {own}" for name, own in own_versions.items() if versions.get(name) != own
    ]
    if wrong:
        yield f"{'; '.join(wrong)}; install the same versions"
    if folder_error is None and not (reply_file.is_file() and reply_file.read_text() in reply_file.name):
        folder_error = "a file written there is not visible here"
    if folder_error:
        yield f"the folder is not shared ({folder_error}); choose one that all nodes read and write under the same path"
