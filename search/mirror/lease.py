"""Lease of one driver on a folder at a URI.

The lease is a file that its driver rewrites every RENEW_SECONDS. Another driver waits for a renewal: if there is one,
it is refused; after EXPIRY_SECONDS without, it takes the lease. No two clocks are compared.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from results.remote.folder import RemoteError, RemoteFolder
from spaces.errors import UserError

LEASE_FILE = ".driver.json"
RENEW_SECONDS = 15.0
EXPIRY_SECONDS = 50.0  # without a renewal, after which a driver is considered dead
POLL_SECONDS = 1.0
SETTLE_SECONDS = 1.0  # after which of two drivers that took the lease at once only the later one sees its own


class LeaseRecord(NamedTuple):
    """Content of the lease file."""

    session: str  # of the driver
    host: str
    pid: int
    renewals: int = 0
    mirrored: float = 0.0  # Unix time from which on changes may be missing
    ended: bool = False


class Lease:
    """Lease of one driver.

    `record` is the present one of a dead process of this driver.
    """

    def __init__(self, remote: RemoteFolder, record: LeaseRecord | None = None) -> None:
        self._remote, self._writing = remote, threading.Lock()
        self.record = record or LeaseRecord(uuid.uuid4().hex, platform.node(), os.getpid())

    def acquire(self, own_session: str | None, print_line: Callable[[str], None]) -> LeaseRecord | None:
        """Take the lease; return the record of its last holder.

        A holder with `own_session` is the dead driver of this machine. Raises UserError if another one is at work.
        """
        last = self.read()
        if last and not last.ended and last.session != own_session:
            self._wait_for_expiry(last, print_line)
        self._write()
        if last and not last.ended:
            time.sleep(SETTLE_SECONDS)
            self._require_own()
        return last

    def renew(self, mirrored: float | None = None) -> None:
        """Write the lease again; raise UserError if another driver took it."""
        with self._writing:
            self._require_own()
            mirrored = self.record.mirrored if mirrored is None else mirrored
            self.record = self.record._replace(renewals=self.record.renewals + 1, mirrored=mirrored)
            self._write()

    def release(self) -> None:
        """Mark the lease as ended."""
        self._require_own()
        self.record = self.record._replace(ended=True)
        self._write()

    def read(self) -> LeaseRecord | None:
        """Return the present record, None without one."""
        content = self._remote.read_json(LEASE_FILE)
        try:
            return LeaseRecord(**content) if content else None
        except TypeError:
            raise RemoteError(f"{self._remote.uri}/{LEASE_FILE}: damaged; remove it if no search uses it") from None

    def _wait_for_expiry(self, last: LeaseRecord, print_line: Callable[[str], None]) -> None:
        where = f"{self._remote.uri}: used by a search on {last.host} (process {last.pid})"
        print_line(f"{where}; waiting up to {EXPIRY_SECONDS:.0f} s for a sign of life")
        end = time.monotonic() + EXPIRY_SECONDS
        while time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            if self.read() != last:
                raise UserError(f"{where}; wait for its end, or choose another --out")

    def _require_own(self) -> None:
        holder = self.read()
        if holder is None or holder.session != self.record.session:
            by = f"used by a search on {holder.host} (process {holder.pid})" if holder else "without its lease"
            raise LeaseLostError(f"{self._remote.uri}: now {by}; this search no longer writes to it")

    def _write(self) -> None:
        self._remote.write(LEASE_FILE, json.dumps(self.record._asdict()).encode())


class LeaseLostError(UserError):
    """Another driver took the lease."""
