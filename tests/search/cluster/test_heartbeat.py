"""Liveness of Ray's processes."""

from __future__ import annotations

import socket

import pytest

from search.cluster import heartbeat
from search.cluster.heartbeat import CONNECT_ATTEMPTS, accepts_connections, dead_process


@pytest.fixture
def server():
    server = socket.create_server(("127.0.0.1", 0))
    yield server
    server.close()


def address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_closed_port_is_refused_at_once(server, monkeypatch):
    open_address, attempts = address(server), []
    assert accepts_connections(open_address)
    server.close()
    connect = socket.create_connection
    monkeypatch.setattr(
        heartbeat.socket, "create_connection", lambda *at, **more: attempts.append(at) or connect(*at, **more)
    )
    assert not accepts_connections(open_address) and len(attempts) == 1


def test_a_busy_machine_gets_several_attempts(monkeypatch):
    attempts = []

    def time_out(*_, **__):
        attempts.append(1)
        raise TimeoutError

    monkeypatch.setattr(heartbeat.socket, "create_connection", time_out)
    assert not accepts_connections("127.0.0.1:1") and len(attempts) == CONNECT_ATTEMPTS


def test_the_dead_process_is_named(server):
    addresses = {"raylet": address(server), "master (GCS)": address(server)}
    assert dead_process(addresses) is None and dead_process({}) is None
    assert dead_process(addresses | {"master (GCS)": "127.0.0.1:9"}) == "master (GCS)"
