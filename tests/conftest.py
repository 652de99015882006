"""Fixtures of all tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest


@pytest.fixture
def read_only() -> Callable[[Path], AbstractContextManager[None]]:
    """Return a context manager that mounts a folder read-only, for root too.

    Skips the test where mounting is not allowed.
    """

    @contextmanager
    def mounted(folder: Path) -> Iterator[None]:
        mount = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True)
        if mount.returncode:
            pytest.skip(f"nothing can be mounted here: {mount.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    return mounted


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an S3-compatible server; return its address."""
    log = tmp_path_factory.mktemp("s3") / "log.txt"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with open(log, "w") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        while not (address := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield address[0]
        server.kill()


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URI of a new bucket, with its endpoint and credentials in the environment."""
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    with urlopen(Request(f"{s3_endpoint}/{name}", method="PUT")):
        pass
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return f"s3://{name}"
