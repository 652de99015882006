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
from contextlib import suppress
from pathlib import Path

import pandas
import pytest

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


@pytest.fixture
def shell(tmp_path) -> Iterator[Callable[[str], subprocess.CompletedProcess[str]]]:
    """Run commands with a home of their own; end the Ray that they leave running."""
    mark = uuid.uuid4().hex
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    environment = {**inherited, "HOME": str(tmp_path / "home"), "KD_TEST_CLUSTER": mark, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    (tmp_path / "home").mkdir()

    def run(script: str) -> subprocess.CompletedProcess[str]:
        with open(tmp_path / "output.txt", "w+") as output:  # a pipe would stay open in Ray's processes
            command = ["bash", "-euc", script]
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, timeout=540)
        return subprocess.CompletedProcess(command, done.returncode, (tmp_path / "output.txt").read_text())

    yield run
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


@pytest.mark.slow
def test_the_printed_commands_search_on_two_nodes(shell, write, tmp_path):
    """Both nodes are on this machine; the space and the folder are those of the test. The cluster stays afterwards.

    A check then lists its nodes and what runs where.
    """
    space = write(tmp_path / "x.yaml", seeds=[0, 1], train={"epochs": 2, "batch_size": 64})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    commands = printed_commands("README.md").replace("6379", port).replace("HOST", "127.0.0.1")
    commands = commands.replace("spaces/quickstart.yaml", f"{space} --out {tmp_path / 'run'}")
    for command in ("ray start --head", "ray start --address"):
        assert command in commands
    done = shell(commands.replace("ray start ", "ray start --num-cpus=1 --object-store-memory=90000000 "))
    assert done.returncode == 0, done.stdout
    lines = pandas.read_csv(paths.students_file(tmp_path / "run"))
    assert len(lines) == 6 and set(lines["status"]) == {"finished"}
    assert f"--address 127.0.0.1:{port}" in records.read_environment(tmp_path / "run")["command"]
    check = shell(f"python -m search.run {space} --check --out {tmp_path / 'none'} --address 127.0.0.1:{port}")
    assert check.returncode == 0, check.stdout  # the token is in the home
    lines = [" ".join(line.split()) for line in check.stdout.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("cluster "))
    precision = re.fullmatch(r"cluster 2 nodes, 2 students at a time, precision auto is (\w+)", lines[head])
    assert precision and precision[1] in ("bfloat16", "float32"), check.stdout
    node = rf"\S+: 1 CPUs \({re.escape(device_name())}\); 1 students at a time"
    assert all(re.fullmatch(node, line) for line in lines[head + 1 : head + 3]), check.stdout
    assert re.fullmatch(r"teachers on \S+, with 1 CPUs", lines[head + 3]), check.stdout
    assert not (tmp_path / "none").exists()


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
