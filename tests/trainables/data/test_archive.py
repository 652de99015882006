"""Download of archives from a local web server."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.errors import UserError
from trainables.data import cifar10, load_dataset, tiny_imagenet
from trainables.data.archive import Archive, unpack_archive
from trainables.data.generated import GENERATORS

Serve = Callable[[Callable[[str], tuple[int, bytes, float]]], str]  # the fixture: responses by file name -> URL
FILES = {"set/a.bin": b"a" * 1000, "set/more/b.txt": b"b"}


def pack(name: str, files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(file, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for path, data in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def published(name: str, content: bytes, *mirrors: str) -> Archive:
    return Archive(name, "set", hashlib.md5(content).hexdigest(), len(content), mirrors)


def inside(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["set.tar.gz", "set.zip"])
def test_an_archive_is_fetched_unpacked_and_deleted(tmp_path: Path, serve: Serve, name: str) -> None:
    content, requests = pack(name, FILES), []
    address = serve(lambda path: (requests.append(path) or 200, content, 0))
    assert unpack_archive(tmp_path, published(name, content, address)) == tmp_path / "set"
    assert inside(tmp_path) == FILES and requests == [name]


@pytest.mark.parametrize("name", ["set.tar.gz", "set.zip"])
def test_a_local_archive_is_used_and_not_deleted(tmp_path: Path, name: str) -> None:
    content = pack(name, FILES)
    (tmp_path / name).write_bytes(content)
    unpack_archive(tmp_path, published(name, content))
    assert inside(tmp_path) == FILES | {name: content}


BAD = {
    "altered": (lambda body: (200, b"X" + body[1:], 0), "altered: its md5 is"),
    "truncated": (lambda body: (200, body[:-9], 0), "altered: its md5 is"),
    "too long": (lambda body: (200, body + b"\0", 0), "sends more than"),
    "absent": (lambda body: (404, b"", 0), "HTTP 404 Not Found"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_responses_leave_no_files(tmp_path: Path, serve: Serve, fault: str) -> None:
    content = pack("set.zip", FILES)
    respond, message = BAD[fault]
    address = serve(lambda path: respond(content))
    with pytest.raises(UserError) as caught:
        unpack_archive(tmp_path, published("set.zip", content, address))
    assert f"{address}set.zip: " in str(caught.value) and message in str(caught.value)
    assert inside(tmp_path) == {}


def test_an_altered_archive_is_named_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"altered")
    with pytest.raises(UserError, match=f"^{tmp_path / 'set.zip'}: altered: its md5 is"):
        unpack_archive(tmp_path, published("set.zip", pack("set.zip", FILES)))
    assert inside(tmp_path) == {"set.zip": b"altered"}


@pytest.mark.parametrize("files", [{"../escaped": b""}, {"/escaped": b""}, {"other/a": b""}])
@pytest.mark.parametrize("name", ["set.tar.gz", "set.zip"])
def test_other_contents_are_refused(tmp_path: Path, name: str, files: dict[str, bytes]) -> None:
    content = pack(name, files)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / name).write_bytes(content)
    with pytest.raises(UserError, match=f"^{tmp_path / 'root' / 'set'}: cannot be unpacked from "):
        unpack_archive(tmp_path / "root", published(name, content))
    assert inside(tmp_path) == {f"root/{name}": content} and not Path("/escaped").exists()


def test_an_old_folder_is_not_overwritten(tmp_path: Path) -> None:
    content = pack("set.zip", FILES)
    (tmp_path / "set.zip").write_bytes(content)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    with pytest.raises(UserError, match="is there an old folder"):
        unpack_archive(tmp_path, published("set.zip", content))
    assert inside(tmp_path) == {"set.zip": content, "set/mine": b""}


def test_cifar10_and_tiny_imagenet_are_fetched(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """With generated data sets as the published ones."""
    for name, values in (("cifar10", {}), ("tiny_imagenet", {"classes": 3})):
        knobs = GENERATORS[name](tmp_path, values)
        archive = cifar10.LAYOUT.archive if name == "cifar10" else tiny_imagenet.TINY_IMAGENET
        content = pack(archive.name, {k: v for k, v in inside(tmp_path).items() if k.startswith(archive.folder)})
        address = serve(lambda path, content=content: (200, content, 0))
        mine = published(archive.name, content, address)._replace(folder=archive.folder)
        if name == "cifar10":
            monkeypatch.setattr(cifar10, "LAYOUT", cifar10.LAYOUT._replace(archive=mine))
        else:
            monkeypatch.setattr(tiny_imagenet, "TINY_IMAGENET", mine)
        fetched = load_dataset(name, tmp_path / "new", download=True, **knobs)
        assert fetched.fingerprint() == load_dataset(name, tmp_path, **knobs).fingerprint()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["cifar-10-batches-bin", "tiny-imagenet-200"]
