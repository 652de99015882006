"""Heartbeat: test connections to Ray's processes.

A search depends on two of them: the raylet of the driver's node, and the GCS server of the cluster (Ray's master).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

CONNECT_TIMEOUT_SECONDS = 5.0  # a busy machine answers late
CONNECT_ATTEMPTS = 3  # timeouts in a row; a refused connection is final


def dead_process(addresses: Mapping[str, str]) -> str | None:
    """Return the name of the first dead process, or None.

    `addresses` is {name: "HOST:PORT"}.
    """
    return next((name for name, address in addresses.items() if not accepts_connections(address)), None)


def accepts_connections(address: str) -> bool:
    """Return True if a process listens at "HOST:PORT"."""
    host, _, port = address.rpartition(":")
    for _ in range(CONNECT_ATTEMPTS):
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_SECONDS).close()
            return True
        except ConnectionError:
            return False
        except OSError:
            continue
    return False
