"""Ray node of this machine, with fewer processes than Ray's own.

The dashboard's server, the autoscaler and the log monitor are Python processes. A private Ray needs none of them: it
has no dashboard, one fixed node, and errors of students are rows. Together they cost about four seconds of processor
time, and ray.init waits for the first one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray._private.node as node_module
from ray._private.node import Node


class PrivateNode(Node):
    """Head node without the optional processes."""

    def start_api_server(self, **options: Any) -> None:
        """Start no server of the dashboard."""
        self._webui_url = ""

    def start_monitor(self) -> None:
        """Start no autoscaler."""

    def start_log_monitor(self) -> None:
        """Start no log monitor."""


@contextmanager
def private_node() -> Iterator[None]:
    """Let ray.init start a PrivateNode inside this block.

    Ray has no option for it.
    """
    node_module.Node = PrivateNode  # type: ignore[misc]
    try:
        yield
    finally:
        node_module.Node = Node  # type: ignore[misc]
