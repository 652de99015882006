"""A cluster of two nodes on this machine, and addresses without a cluster."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pandas
import pytest
import yaml

from results import paths, records
from search.cluster import connect
from search.launch import main
from spaces.errors import UserError
from trainables.device import device_name

ROOT = Path(__file__).parent.parent.parent.parent

PAGES = ("README.md", "CLUSTER.md", "docs/howto/cluster.md")
PRINTED = re.compile(r"```[^\n]*\n(ray get-auth-token .*?)```", re.DOTALL)


def printed_commands(page: str) -> str:
    """Return the commands of a page that start a cluster and a search on it."""
    commands = PRINTED.search((ROOT / page).read_text())
    assert commands is not None
    return commands[1]


def test_all_pages_print_the_same_commands():
    assert len({printed_commands(page) for page in PAGES}) == 1


# Packages of `ray[default]`: with them in .venv every Ray of the tests would start two processes more.
JOBS = Path(sys.prefix) / "jobs"
RAY_JOB = next(yaml.safe_load_all((ROOT / "deploy" / "rayjob.yaml").read_text().rpartition("---")[2]))
SPACES = ("quickstart", "mnist_hinton")  # of the pages, and of the RayJob


class TwoNodes(NamedTuple):
    """Two nodes on this machine by the printed commands, after their search; the cluster stays."""

    folder: Path  # where they were printed: with small spaces of the printed names
    shell: Callable[[str], subprocess.CompletedProcess[str]]
    searched: subprocess.CompletedProcess[str]
    port: int
    dashboard: int


def free_ports(count: int) -> list[int]:
    """Return different ports that nothing listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory, write) -> Iterator[TwoNodes]:
    """Run the printed commands with a home of their own; end the Ray that they leave running."""
    folder, mark = tmp_path_factory.mktemp("nodes"), uuid.uuid4().hex
    for name in SPACES:
        write(folder / "spaces" / f"{name}.yaml", seeds=[0, 1], train={"epochs": 2, "batch_size": 64})
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    modules = os.pathsep.join(map(str, [ROOT, *[JOBS] * JOBS.is_dir()]))
    environment = {**inherited, "HOME": str(folder / "home"), "KD_TEST_CLUSTER": mark, "PYTHONPATH": modules}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    (folder / "home").mkdir()

    def run(script: str) -> subprocess.CompletedProcess[str]:
        with open(folder / "output.txt", "w+") as output:  # a pipe would stay open in Ray's processes
            command = ["bash", "-euc", script]
            done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, timeout=540)
        return subprocess.CompletedProcess(command, done.returncode, (folder / "output.txt").read_text())

    port, dashboard, first, second = free_ports(4)
    commands = printed_commands("README.md").replace("6379", str(port)).replace("HOST", "127.0.0.1")
    for start, own in (("--head", f"--dashboard-port={dashboard} --head"), ("--address", "--address")):
        assert f"ray start {start}" in commands
        agent = f"--dashboard-agent-listen-port={first if start == '--head' else second}"
        size = "--num-cpus=1 --object-store-memory=90000000"
        commands = commands.replace(f"ray start {start}", f"ray start {size} {agent} {own}")
    try:
        yield TwoNodes(folder, run, run(commands), port, dashboard)
    finally:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark.encode() in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)


def assert_trained(folder: Path, address: str) -> None:
    """Assert that a search of a small space is complete."""
    lines = pandas.read_csv(paths.students_file(folder))
    assert len(lines) == 6 and set(lines["status"]) == {"finished"}
    assert f"--address {address}" in records.read_environment(folder)["command"]


@pytest.mark.slow
def test_the_printed_commands_search_on_two_nodes(two_nodes):
    """A check then lists the nodes and what runs where."""
    assert two_nodes.searched.returncode == 0, two_nodes.searched.stdout
    assert_trained(two_nodes.folder / "runs" / "quickstart", f"127.0.0.1:{two_nodes.port}")
    check = two_nodes.shell(
        f"python -m search.run spaces/quickstart.yaml --check --out none --address 127.0.0.1:{two_nodes.port}"
    )
    assert check.returncode == 0, check.stdout  # the token is in the home
    lines = [" ".join(line.split()) for line in check.stdout.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("cluster "))
    precision = re.fullmatch(r"cluster 2 nodes, 2 students at a time, precision auto is (\w+)", lines[head])
    assert precision and precision[1] in ("bfloat16", "float32"), check.stdout
    node = rf"\S+: 1 CPUs \({re.escape(device_name())}\); 1 students at a time"
    assert all(re.fullmatch(node, line) for line in lines[head + 1 : head + 3]), check.stdout
    assert re.fullmatch(r"teachers on \S+, with 1 CPUs", lines[head + 3]), check.stdout
    assert not (two_nodes.folder / "none").exists()


@pytest.mark.slow
def test_the_submitter_of_kuberay_starts_the_search_of_the_manifest(two_nodes, skip_without):
    """Its command for a RayJob in SidecarMode, then that of a repeated submitter in K8sJobMode (KubeRay 1.7).

    Only the dashboard's port and the folder of the volume are those of the test. Without a token the command is
    refused, like the status requests of the operator.
    """
    skip_without(ray_jobs=JOBS.is_dir())
    assert two_nodes.searched.returncode == 0, two_nodes.searched.stdout
    address = f"http://127.0.0.1:{two_nodes.dashboard}"
    entrypoint = RAY_JOB["spec"]["entrypoint"].replace("/runs/", f"{two_nodes.folder}/volume/")
    health = f"""python3 -c "import urllib.request as r; r.urlopen('{address}/api/gcs_healthz', timeout=5)\""""
    submit = f"ray job submit --address {address} --submission-id distil-search-x -- {entrypoint} ;"
    sidecar = f"until {health} >/dev/null 2>&1 ; do sleep 2 ; done ; {submit}"
    stranger = two_nodes.shell(f"export HOME=/nowhere; {sidecar}")
    assert stranger.returncode and "Unauthorized" in stranger.stdout, stranger.stdout
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{address}/api/jobs/")
    assert refused.value.code == 401
    refused.value.close()
    job = two_nodes.shell(f"export RAY_AUTH_MODE=token; {sidecar}")
    assert job.returncode == 0 and "succeeded" in job.stdout, job.stdout
    assert_trained(two_nodes.folder / "volume" / "mnist_hinton", "auto")
    known = f"ray job status --address {address} distil-search-x >/dev/null 2>&1"
    logs = f"ray job logs --address {address} --follow distil-search-x"
    repeated = two_nodes.shell(f"export RAY_AUTH_MODE=token; if ! {known} ; then exit 9 ; fi ; {logs}")
    assert repeated.returncode == 0 and "Distillation" in repeated.stdout, repeated.stdout


@pytest.fixture
def no_ray(monkeypatch) -> None:
    """Fail if Ray is asked to connect: it would retry for minutes."""
    monkeypatch.setattr(connect, "_init_ray", None)


def test_an_unreachable_address_ends_the_run_with_one_line(no_ray, write, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers of this process stay
    words = [write(tmp_path / "x.yaml"), "--out", tmp_path / "run", "--address", "127.0.0.1:9"]
    assert main([str(word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("--address 127.0.0.1:9: no Ray cluster answers there") and "ray start --head" in line


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_a_wrong_address_is_named(no_ray, digits, address):
    message = f"--address {address}: no Ray cluster answers there"
    with pytest.raises(UserError, match=message), connect.connected_to_ray(address, digits):
        pass


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ray://head:10001", "expected head:6379, from a node of the cluster"),
        ("http://head:8265", "submit it: ray job submit --address http://head:8265"),
    ],
)
def test_another_protocol_is_refused_in_one_line(digits, address, expected):
    with pytest.raises(UserError) as refused, connect.connected_to_ray(address, digits):
        pass
    assert str(refused.value).startswith(f"--address {address}: ") and expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_machine_outside_the_cluster_is_named(monkeypatch):
    """Ray itself would end the process from C++, as if its raylet had died. 192.0.2.1 is no machine's address."""
    states = {"192.0.2.1": "ALIVE", "127.0.0.1": "DEAD"}

    def nodes(timeout: float) -> dict[str, SimpleNamespace]:
        return {host: SimpleNamespace(node_manager_address=host, state=states[host], ALIVE="ALIVE") for host in states}

    monkeypatch.setattr(connect, "GcsClient", lambda address: SimpleNamespace(get_all_node_info=nodes))
    with pytest.raises(UserError) as refused:
        connect._require_node_here("192.0.2.1:6379")
    (line,) = str(refused.value).splitlines()
    assert (
        "--address 192.0.2.1:6379: this machine is not a node of that cluster (192.0.2.1); run this command on" in line
    )
    assert line.endswith("or join it first: ray start --address=192.0.2.1:6379 --num-cpus=0")
    states["127.0.0.1"] = "ALIVE"
    connect._require_node_here("192.0.2.1:6379")


def test_a_signal_during_the_start_of_ray_is_an_interrupt(monkeypatch):
    """Ray installs a SIGTERM handler that raises SystemExit."""
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def init(**_):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(connect.ray, "init", init)
    try:
        with pytest.raises(KeyboardInterrupt):
            connect._init_ray()
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, handler)
