"""Pickles: only published ones are opened, and even those may ask for nothing but arrays."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.verified_pickle import read_pickle

# The form in which numpy 1 on Python 2 wrote the array [[1, 2], [3, 4]] of unsigned bytes under the key "data".
OLD = (
    b"\x80\x02}q\x01U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R"
    b"q\x05(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff"
    b"\xff\xffK\x00tb\x89U\x04\x01\x02\x03\x04tbs."
)


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def opened(path: Path, content: bytes) -> dict[bytes, Any]:
    """Read a file that is let be the published one."""
    path.write_bytes(content)
    return read_pickle(path, hashlib.md5(content).hexdigest(), "another file")


def test_an_array_of_old(tmp_path: Path) -> None:
    found = opened(tmp_path / "a", OLD)
    assert found.keys() == {b"data"} and found[b"data"].dtype == np.uint8
    assert found[b"data"].tolist() == [[1, 2], [3, 4]]


def test_even_a_published_pickle_runs_nobodys_code(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path / 'a'}: asks for .*, which no array needs; use another"):
        opened(tmp_path / "a", pickle.dumps(Evil(tmp_path / "ran"), protocol=2))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [b"os\nsystem", b"builtins\neval", b"numpy\nload", b"numpy.core.multiarray\nscalar"])
def test_nothing_but_arrays_is_known(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(UserError, match="which no array needs"):
        opened(tmp_path / "a", b"c" + name + b"\n(U\x04true\x85R.")


@pytest.mark.parametrize("content", [b"", OLD[:-1], OLD[: len(OLD) // 2], b"plain words"])
def test_what_is_no_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path / 'a'}: "):
        opened(tmp_path / "a", content)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read"):
        read_pickle(tmp_path, "0" * 32, "another file")
