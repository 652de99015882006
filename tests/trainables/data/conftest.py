"""Small data sets in the official idx layout, and a local web server."""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from trainables.data import mnist


@pytest.fixture(scope="session")
def content() -> Callable[[np.ndarray], bytes]:
    """Write an idx file of unsigned bytes."""
    return lambda a: struct.pack(f">{1 + a.ndim}I", 0x0800 + a.ndim, *a.shape) + a.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """The arrays of a set of 200 + 50 images of 6 by 5 pixels, all images different, every label present."""
    rng = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {}
    for part, n in (("train", 200), ("t10k", 50)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 6, 5), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    return arrays


@pytest.fixture(scope="session")
def contents(arrays: dict[str, np.ndarray], content: Callable[[np.ndarray], bytes]) -> dict[str, bytes]:
    """The four unpacked files."""
    return {name: content(array) for name, array in arrays.items()}


@pytest.fixture
def raw(tmp_path: Path, contents: dict[str, bytes]) -> Path:
    """A folder MNIST/raw with the four files gzipped."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    return folder


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray], contents: dict[str, bytes]) -> None:
    """Accept the small files as MNIST's originals."""
    files = {name: mnist.IdxFile(arrays[name].shape, hashlib.md5(contents[name]).hexdigest()) for name in contents}
    monkeypatch.setattr(mnist, "MNIST_FILES", files)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[str], tuple[int, bytes, float]]], str]]:
    """Start a server from a function: file name -> status, body, seconds before each byte; return its URL."""
    monkeypatch.setenv("no_proxy", "*")
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Callable[[str], tuple[int, bytes, float]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, pause = respond(self.path.lstrip("/"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    for piece in [body] if not pause else [body[i : i + 1] for i in range(len(body))]:
                        stopped.wait(pause)
                        self.wfile.write(piece)
                except OSError:
                    pass  # the client has gone

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    stopped = threading.Event()
    yield start
    stopped.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def image_cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the decoded images of a test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KD_CACHE", str(folder))
    return folder / "images"
