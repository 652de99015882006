"""Pickles: only published files are opened, and only arrays are unpickled."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.verified_pickle import read_pickle

# As written by numpy 1 on Python 2: the array [[1, 2], [3, 4]] of unsigned bytes under the key "data".
OLD = (
    b"\x80\x02}q\x01U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
    b"q\x05(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff"
    b"\xff\xffK\x00tb\x89U\x04\x01\x02\x03\x04tbs."
)


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def read_published(path: Path, content: bytes) -> dict[bytes, Any]:
    """Read a file as if it were published."""
    path.write_bytes(content)
    return read_pickle(path, hashlib.md5(content).hexdigest(), "another file")


def test_an_array_of_numpy_1(tmp_path: Path) -> None:
    content = read_published(tmp_path / "a", OLD)
    assert content.keys() == {b"data"} and content[b"data"].dtype == np.uint8
    assert content[b"data"].tolist() == [[1, 2], [3, 4]]


def test_a_published_pickle_runs_no_code(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path / 'a'}: names .*, which is not part of an array; use another"):
        read_published(tmp_path / "a", pickle.dumps(Trap(tmp_path / "ran"), protocol=2))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [b"os\nsystem", b"builtins\neval", b"numpy\nload", b"numpy.core.multiarray\nscalar"])
def test_other_globals_are_refused(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(UserError, match="which is not part of an array"):
        read_published(tmp_path / "a", b"c" + name + b"\n(U\x04true\x85R.")


@pytest.mark.parametrize("content", [b"", OLD[:-1], OLD[: len(OLD) // 2], b"plain words"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path / 'a'}: "):
        read_published(tmp_path / "a", content)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read"):
        read_pickle(tmp_path, "0" * 32, "another file")
