"""deploy/slurm.sh with stand-ins for Slurm, Ray and the search: signals, exit codes, requeue.

tests/faults/test_slurm.py runs it under Debian's Slurm.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_INS = {
    "ray": """
trap 'echo "ray ended" >> "$CALLS"; exit' TERM
echo "ray $*" >> "$CALLS"
echo "Ray runtime started."
while true; do sleep 0.05; done
""",
    "srun": 'echo "srun $*" >> "$CALLS"; exec sleep infinity',
    "scontrol": 'echo "scontrol $*" >> "$CALLS"',
    "hostname": "echo 127.0.0.1",
    # as the driver: it writes its tables after SIGTERM, which takes a while
    "python": """
trap 'sleep 0.5; echo tables >> "$CALLS"; exit 130' TERM
echo "python $*" >> "$CALLS"
[ -z "${EXIT_CODE:-}" ] || exit "$EXIT_CODE"
while true; do sleep 0.05; done
""",
}


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the script as Slurm does: in a process group of its own, which ends with the job."""
    for name, body in STAND_INS.items():
        file = tmp_path / ".venv" / "bin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/bash\n{body}\n")
        file.chmod(0o755)
    jobs: list[subprocess.Popen[bytes]] = []

    def submit(nodes: int, **more: str) -> subprocess.Popen[bytes]:
        slurm = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "4"}
        slurm |= {"SLURM_JOB_NUM_NODES": str(nodes), "SLURMD_NODENAME": "node1", "CALLS": str(tmp_path / "calls")}
        command = ["bash", ROOT / "deploy" / "slurm.sh", "space.yaml", "s3://bucket/run", "--download"]
        jobs.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **slurm, **more}, process_group=0))
        return jobs[-1]

    yield submit
    for started in jobs:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def wait_for(calls: Path, *texts: str) -> str:
    """Return the calls once all of `texts` are among them: commands in the background write in any order."""
    end = time.monotonic() + 300
    while not all(text in (content := calls.read_text() if calls.exists() else "") for text in texts):
        assert time.monotonic() < end, content
        time.sleep(0.02)
    return content


def test_a_signal_reaches_the_search_and_the_job_is_queued_again(job, tmp_path):
    script, calls = job(2), tmp_path / "calls"
    content = wait_for(
        calls,
        "python -m search.run space.yaml --out s3://bucket/run --address 127.0.0.1:",
        "srun --nodes=1 --ntasks=1 --exclude=node1 ray start --address=",
    )
    assert "--download" in content
    script.send_signal(signal.SIGTERM)
    assert script.wait(300) == 130
    tables, requeue, end = calls.read_text().splitlines()[-3:]
    assert tables == "tables" and requeue.startswith("scontrol requeue ") and end == "ray ended"


def test_a_head_that_does_not_start_ends_the_job(job, tmp_path):
    """Otherwise it would wait to its time limit."""
    (tmp_path / ".venv" / "bin" / "ray").write_text("#!/bin/bash\nexit 7\n")
    assert job(1).wait(300) == 1
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_the_job_ends_with_the_code_of_the_search(job, tmp_path, code):
    assert job(1, EXIT_CODE=str(code)).wait(300) == code
    content = (tmp_path / "calls").read_text()
    assert "scontrol" not in content and "srun" not in content
