"""Before anything is trained on a cluster: is every node there, with the same program, and the same folder?"""

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

from search.cluster.token import MODE
from spaces.errors import UserError

PACKAGES = ("ray", "torch", "torchvision", "numpy", "pydantic", "safetensors")
PARTS = ("spaces", "trainables", "search", "results")
SECONDS = 60  # within which a node answers, its first Python process included


def preflight(folder: Path) -> None:
    """Ask every node of the connected cluster; a UserError says of each that will not do what to mend there."""
    nonce, here = uuid.uuid4().hex, program()
    question = folder / f".question-{nonce}"
    question.write_text(nonce)
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
        asked = [(node["NodeManagerAddress"], *_ask(node["NodeID"], question)) for node in alive]
        said = [f"{name}: {reason}" for name, answer, reference in asked for reason in _judge(answer, reference, here)]
    finally:
        for path in folder.glob(f".*-{nonce}*"):
            path.unlink(missing_ok=True)
    if said:
        raise UserError(f"--out {folder}: not every node of the cluster can train:\n" + "\n".join(said))


def program() -> dict[str, str]:
    """What must be the same on every node: Python, the packages that compute, and the code of this program."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}, "code": code()}


def authentication() -> str:
    """What this process asks of those who talk to it: token, or disabled."""
    return os.environ.get(MODE, "disabled").lower()


def code() -> str:
    """The sources of this program as 12 hex digits."""
    root = Path(__file__).parents[2]
    files = sorted(path for part in PARTS for path in (root / part).rglob("*.py"))
    parts = (f"{path.relative_to(root)}\0".encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


@ray.remote(num_cpus=0, max_retries=0)
def _answer(question: str, answer: str) -> tuple[dict[str, str], str, str | None]:
    """On a node: its program, whether it asks for a token, and why the folder is not the driver's, or None."""
    try:
        Path(answer).write_text(Path(question).read_text())
    except OSError as error:
        return program(), authentication(), error.strerror or str(error)
    return program(), authentication(), None


def _ask(node: str, question: Path) -> tuple[Path, Any]:
    answer = question.with_name(question.name.replace("question", "answer") + node[:8])
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return answer, _answer.options(scheduling_strategy=strategy).remote(str(question), str(answer))


def _judge(answer: Path, reference: Any, here: dict[str, str]) -> Iterator[str]:
    """What is wrong with one node."""
    try:
        there, mode, fault = ray.get(reference, timeout=SECONDS)
    except ray.exceptions.RayTaskError as error:
        yield f"this program does not run there ({error.cause}); install the same version of it"
        return
    except ray.exceptions.RayError as error:
        yield f"does not answer ({type(error).__name__}); start Ray there anew, or take it from the cluster"
        return
    if mode != authentication():  # its answers about students would be refused, and everybody would wait
        yield (
            f"{MODE} is {mode} there and {authentication()} here; start its Ray with {MODE}={authentication()}, "
            "or, where nobody else can reach it, join it by --insecure-cluster"
        )
    wrong = [f"{name} {there.get(name)}, here {own}" for name, own in here.items() if there.get(name) != own]
    if wrong:
        yield f"{'; '.join(wrong)}; install the same versions"
    if fault is None and not (answer.is_file() and answer.read_text() in answer.name):
        fault = "what it writes there is not seen here"
    if fault:
        yield f"the folder is not shared ({fault}); name one that every node reads and writes under the same path"
