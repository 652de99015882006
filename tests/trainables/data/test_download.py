"""Downloads from a local web server."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.errors import UserError
from trainables.data import download, mnist

Serve = Callable[[Callable[[str], tuple[int, bytes, float]]], str]  # the fixture: responses by file name -> URL


@pytest.fixture
def packed(official: None, contents: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in contents.items()}


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return lambda *urls: monkeypatch.setattr(mnist, "MNIST_MIRRORS", urls)


def files(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_file()}


def test_good(tmp_path: Path, serve: Serve, packed: dict[str, bytes], mirrors: Callable[..., None]) -> None:
    requests: list[str] = []
    mirrors(serve(lambda name: (requests.append(name) or 200, packed[name], 0)))
    fetched = mnist.mnist(tmp_path, True, validation=40)
    assert fetched.fingerprint() == mnist.mnist(tmp_path, False, validation=40).fingerprint()
    assert sorted(requests) == sorted(packed)
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == set(packed)


def test_only_what_is_missing_is_fetched(raw: Path, serve: Serve, packed, mirrors: Callable[..., None]) -> None:
    name = "t10k-labels-idx1-ubyte.gz"
    (raw / name).unlink()
    requests: list[str] = []
    mirrors(serve(lambda name: (requests.append(name) or 200, packed[name], 0)))
    mnist.mnist(raw.parents[1], True, validation=40)
    assert requests == [name]


def test_an_altered_file_is_named_not_replaced(raw: Path, packed, mirrors: Callable[..., None]) -> None:
    mirrors()
    path = raw / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(b"altered")
    with pytest.raises(UserError, match=f"^{path}: "):
        mnist.mnist(raw, True, validation=40)
    assert path.read_bytes() == b"altered"


BAD = {
    "truncated": (lambda body: (200, body[:-9], 0), "truncated or altered"),
    "empty": (lambda body: (200, b"", 0), "starts with nothing"),
    "altered": (lambda body: (200, gzip.compress(gzip.decompress(body)[:-1] + b"\1\1"), 0), "more bytes of data"),
    "a page": (lambda body: (200, b"<html>Welcome to our hotel</html>", 0), "truncated or altered"),
    "too long": (lambda body: (200, body + bytes(10**6), 0), "sends more than"),
    "absent": (lambda body: (404, b"", 0), "HTTP 404 Not Found"),
    "hanging": (lambda body: (200, body, 60), "timed out"),
    "dripping": (lambda body: (200, body, 0.02), "not done after"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_responses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serve: Serve, packed, mirrors: Callable[..., None], fault: str
) -> None:
    monkeypatch.setattr(download, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(download, "DEADLINE_SECONDS", 1.0)
    respond, message = BAD[fault]
    bad, good = serve(lambda name: respond(packed[name])), serve(lambda name: (200, packed[name], 0))
    mirrors(bad)
    with pytest.raises(UserError) as caught:  # within the deadline: a server that hangs or drips would deliver at last
        mnist.mnist(tmp_path, True, validation=40)
    assert f"{bad}train-images-idx3-ubyte.gz: " in str(caught.value)
    assert message in str(caught.value)
    assert files(tmp_path) == set()  # no partial file either
    mirrors(bad, good)  # for one file, because some faults are slow
    for name in list(packed)[1:]:
        (tmp_path / "MNIST" / "raw" / name).write_bytes(packed[name])
    assert mnist.mnist(tmp_path, True, validation=40).sizes["train"] == 160
    assert files(tmp_path) == set(packed)


def test_offline(tmp_path: Path, packed, mirrors: Callable[..., None], serve: Serve) -> None:
    mirrors("http://127.0.0.1:9/", "http://127.0.0.1:19/")
    with pytest.raises(UserError) as caught:
        mnist.mnist(tmp_path, True)
    for word in ("127.0.0.1:9", "127.0.0.1:19", "offline?", str(tmp_path / "MNIST" / "raw"), "refused"):
        assert word in str(caught.value)


def test_a_root_that_cannot_be_written(tmp_path: Path, packed, mirrors: Callable[..., None]) -> None:
    mirrors("http://127.0.0.1:9/")
    (tmp_path / "MNIST").write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot write the download there"):
        mnist.mnist(tmp_path, True)
