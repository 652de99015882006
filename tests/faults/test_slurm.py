"""deploy/slurm.sh under Debian's Slurm on two nodes: SIGTERM, tables, requeue and resume."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import two_nodes
from conftest import only_in_full
from test_driver import trained
from two_nodes import HEAD, OTHER

inside = two_nodes.inside
NAMES = ("kd1", "kd2")
CONFIGURATION = f"""
ClusterName=kd
SlurmctldHost={NAMES[0]}({HEAD})
SlurmUser=root
AuthInfo=socket={{folder}}/munge,cred_expire=30
StateSaveLocation={{folder}}/state
SlurmdSpoolDir={{folder}}/%n
SlurmctldPidFile={{folder}}/slurmctld.pid
SlurmdPidFile={{folder}}/%n.pid
SlurmctldLogFile={{folder}}/slurmctld.txt
SlurmdLogFile={{folder}}/%n.txt
SlurmdTimeout=600
BatchStartTimeout=300
MessageTimeout=100
TCPTimeout=60
UnkillableStepTimeout=600
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MailProg=/bin/true
MpiDefault=none
NodeName={NAMES[0]} NodeAddr={HEAD} CPUs=1
NodeName={NAMES[1]} NodeAddr={OTHER} CPUs=1
PartitionName=all Nodes=ALL Default=YES
"""  # times for a busy machine; but a job that is queued again waits for cred_expire, two minutes by default
NAMED = "hostname {name}; for file in hosts resolv.conf; do mount --bind {folder}/$file /etc/$file; done"
NODE = f"{NAMED}; slurmd -N {{name}}; sleep infinity"
# The first node has the controller as well. Files are the test's requests.
CONTROL = f"""{NAMED}
export RAY_TMPDIR=$PRIVATE
slurmctld; slurmd -N {{name}}
until [ "$(sinfo --noheader --states=idle --format=%D)" = 2 ]; do sleep 0.2; done
job=$(sbatch --parsable --cpus-per-task=1 --output={{folder}}/job.txt deploy/slurm.sh {{space}} {{out}})
until [ -e {{folder}}/signal ]; do [ -n "$(squeue --noheader --jobs=$job)" ]; sleep 0.2; done
scancel --batch --signal=TERM $job
until scontrol show job $job | grep -E 'JobState=(COMPLETED|FAILED|CANCELLED|NODE_FAIL|TIMEOUT)'; do sleep 0.5; done
scontrol show job $job
"""


@pytest.fixture
def munge(tmp_path: Path, skip_without: Callable[..., None]) -> Iterator[None]:
    """Run Slurm's authentication with a key of its own; all nodes reach it by its socket."""
    skip_without(**{name: shutil.which(name) for name in ("munged", "slurmctld", "slurmd", "sbatch")})
    (tmp_path / "key").write_bytes(os.urandom(128))
    (tmp_path / "key").chmod(0o400)
    files = {"key-file": "key", "socket": "munge", "pid-file": "munge.pid", "log-file": "log", "seed-file": "seed"}
    command = ["munged", "--foreground", "--force", *(f"--{name}={tmp_path / file}" for name, file in files.items())]
    with open(tmp_path / "munge.txt", "w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        yield
        process.kill()


@pytest.mark.slow
@only_in_full
def test_a_job_that_gets_sigterm_writes_tables_and_resumes(
    munge, inside, tmp_path, places, grid, slow_space, assert_same, tally
):
    """By the batch script, as at a preemption or before the time limit; both nodes have one teacher cache."""
    space, out = slow_space(tmp_path), tmp_path / "run"
    (tmp_path / "slurm.conf").write_text(CONFIGURATION.format(folder=tmp_path))
    (tmp_path / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # not used, and not looked for
    hosts = zip((HEAD, OTHER), NAMES, strict=True)
    (tmp_path / "hosts").write_text("".join(f"{host} {name}\n" for host, name in [("127.0.0.1", "localhost"), *hosts]))
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # refuses at once, where a name has no IPv6 address
    for name in ("state", *NAMES):
        (tmp_path / name).mkdir()
    variables = {"SLURM_CONF": str(tmp_path / "slurm.conf"), "KD_CACHE": str(places / "teachers")}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    logs, nodes = [tmp_path / "first.txt", tmp_path / "second.txt"], []
    for number, script in enumerate((CONTROL, NODE)):
        text = script.format(folder=tmp_path, name=NAMES[number], space=space, out=out)
        nodes.append(inside(number, text, logs[number], **variables))

    def output() -> str:
        return "\n".join(f"{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(tmp_path.glob("*.txt")))

    end = time.monotonic() + 900
    while not trained(out):
        assert nodes[0].poll() is None and time.monotonic() < end, output()
        time.sleep(0.05)
    (tmp_path / "signal").touch()
    assert nodes[0].wait(900) == 0, output()
    state = logs[0].read_text()
    assert "JobState=COMPLETED" in state and "Restarts=1" in state, output()
    job = (tmp_path / "job.txt").read_text()
    assert "Interrupting: Ray ends, then the tables are written." in job and "To go on: " in job, output()
    assert_same(out, grid)
    repeated = trained(out) - trained(grid)
    assert repeated <= 2, output()
    tally("SIGTERM of a Slurm job on two nodes, queued again", tries=1, repeated=repeated, note="Debian's Slurm")
