"""Connection to a private Ray on this machine, or to a cluster."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]

from search.cluster.nodes import TrainingNodes
from search.cluster.private_node import private_node
from search.cluster.restart_plan import ray_watched
from search.cluster.scratch import scratch_folder
from search.cluster.signals import signals_ignored
from search.cluster.token import ensure_token, require_token
from spaces.errors import UserError
from trainables.data import Dataset
from trainables.data.array_file import memory_bytes

CONNECT_SECONDS = 10
EXTRA_STORE_BYTES = 512 * 2**20  # of the object store beside the data: teacher outputs, results


@contextmanager
def connected_to_ray(address: str | None, data: Dataset, insecure_cluster: bool = False) -> Iterator[TrainingNodes]:
    """Connect to Ray for this block; yield its nodes.

    Without an address a private Ray is started, with room for the data, and stopped at the end. It never joins a
    cluster that happens to run on this machine. But a Ray of this machine that this process has started or joined
    before, as in a notebook, is used and stays connected. With an address every node is checked (nodes.py). Raises
    UserError for a missing cluster, token or node, and RayLostError if Ray dies.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # errors of students are printed from their rows
    if address is None and not ray.is_initialized():
        data_bytes = sum(memory_bytes(array) for split in data[:3] for array in split)
        with _private_ray(EXTRA_STORE_BYTES + 4 * data_bytes), ray_watched(_ray_addresses()):
            yield TrainingNodes(single_machine=True)
        return
    if address is None:
        if (machines := sum(node["Alive"] for node in ray.nodes())) > 1:
            raise UserError(f"this process has joined a Ray of {machines} nodes; ray.shutdown() and name its address")
        with ray_watched(_ray_addresses()):
            yield TrainingNodes(single_machine=True)
        return
    if ray.is_initialized():
        raise UserError(f"--address {address}: this process has joined a Ray; omit it, or ray.shutdown() first")
    _refuse_other_protocols(address)
    try:
        _check_address(address)
        require_token(address, insecure_cluster)
        _require_node_here(address)
        _init_ray(address=address)
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0]}); start one with: "
            "ray start --head --port=6379"
        ) from None
    try:
        nodes = TrainingNodes(single_machine=False)
        with ray_watched(_ray_addresses()):
            nodes.check_all()
            yield nodes
    finally:
        _shut_down_ray()


def _ray_addresses() -> dict[str, str]:
    """Return "HOST:PORT" of this node's raylet and of the GCS server."""
    context = ray.get_runtime_context()
    node = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
    return {
        "raylet": f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}",
        "master (GCS)": context.gcs_address,
    }


def _refuse_other_protocols(address: str) -> None:
    """Raise UserError for addresses of Ray Client and of the dashboard."""
    protocol, separator, rest = address.partition("://")
    if not separator:
        return
    if protocol in ("http", "https"):
        way = f"submit it: ray job submit --address {address} -- python -m search.run …"
        raise UserError(
            f"--address {address}: a dashboard; expected HOST:6379 of the head; to run the command there, {way}"
        )
    host = rest.partition(":")[0] or "HOST"
    raise UserError(
        f"--address {address}: {protocol}:// is not supported; expected {host}:6379, from a node of the cluster"
    )


def _require_node_here(address: str) -> None:
    """Raise UserError if this machine is not a node of the cluster.

    Ray itself would end this process.
    """
    if address == "auto":
        return
    nodes = GcsClient(address=address).get_all_node_info(timeout=CONNECT_SECONDS).values()
    alive = [node.node_manager_address for node in nodes if node.state == node.ALIVE]
    if alive and not any(map(_is_own_address, alive)):
        raise UserError(
            f"--address {address}: this machine is not a node of that cluster ({', '.join(sorted(alive))}); run this "
            f"command on one of its nodes, or join it first: ray start --address={address} --num-cpus=0"
        )


def _is_own_address(host: str) -> bool:
    """Return True if this machine has an IP address."""
    try:
        family = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0][0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _check_address(address: str) -> None:
    """Raise ConnectionError or ValueError for an unreachable address.

    Ray itself would retry for minutes.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        raise ValueError("expected HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(str(error)) from None


@contextmanager
def _private_ray(store_bytes: int) -> Iterator[None]:
    with scratch_folder() as temporary:
        try:
            _start_private_ray(object_store_memory=store_bytes, _temp_dir=str(temporary))
            yield
        finally:
            _shut_down_ray()


def _start_private_ray(**options: Any) -> None:
    ensure_token()
    try:
        with private_node():
            _init_ray(address="local", include_dashboard=False, **options)
    except Exception as error:  # Ray raises bare exceptions here
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"Ray does not start: {reason} Is the machine very busy, or short of memory or disk?") from None


def _shut_down_ray() -> None:
    """Shut Ray down completely, also during Ctrl-C.

    Half a shutdown would leave processes behind.
    """
    with signals_ignored() as ignore_again:
        shutdown = threading.Thread(target=ray.shutdown)
        shutdown.start()
        while shutdown.is_alive():
            shutdown.join(0.02)
            ignore_again()  # ray.shutdown restores the default SIGTERM handler, which would end this process


def _init_ray(**options: Any) -> None:
    """Start or join Ray quietly and keep our SIGTERM handler.

    ray.init installs its own.
    """
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except SystemExit:  # raised by Ray's handler, for a signal during ray.init
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
