"""Files with the recorded logits of a teacher.

A file holds logits before softmax, one row per image, and says of which image each row is:

- a table (.csv, .tsv, .parquet): a column `file` or `hash`, and one column for each class, by the names of the classes;
- .npz, or .pt with a dict: `logits` [n, classes] beside `files` or `hashes`, maybe with `classes`, the names in the
  order of the columns;
- arrays in the order of the data set, training, validation and test one after another: in place of the names, `images`
  is `Dataset.fingerprint()`. Of a .npy it is in FILE.json: {"images": "…"}.

`files` are paths below the folder of a data set of files. `hashes` are `image_hashes` of its images.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np

from spaces.errors import UserError
from trainables.data.text_files import table_reader
from trainables.file_kinds import file_kind

KEY_COLUMNS = {"file": "files", "files": "files", "hash": "hashes", "hashes": "hashes"}
SUFFIXES = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".pt", ".pth")
READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, UnpicklingError, csv.Error)


class RecordedLogits(NamedTuple):
    """Content of a file: logits [n, columns] and the images of its rows.

    `kind` is "files" or "hashes" for `keys`, or "images" for a fingerprint of all images.
    """

    logits: np.ndarray
    kind: str
    keys: Sequence[str]
    classes: Sequence[str] | None


@lru_cache(maxsize=4)
def read_recorded(path: Path, _modified: int) -> RecordedLogits:
    """Read a file of recorded logits.

    `_modified` is the time of its last change. Raises UserError for another kind of file.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            return _read_csv_logits(path)
        if suffix == ".parquet":
            return _read_parquet_logits(path)
        if suffix in (".npz", ".npy"):
            return _read_numpy(path)
        if suffix in (".pt", ".pth"):
            return _read_torch(path)
        raise ValueError(f"expected a file {', '.join(SUFFIXES)}")
    except READ_ERRORS as error:
        kind = None if suffix == ".npy" else file_kind(path)
        reason = kind or (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a file of logits: {reason}") from None


def _read_csv_logits(path: Path) -> RecordedLogits:
    rows = list(table_reader(path))
    names, body = [name.strip() for name in rows[0]] if rows else [], [row for row in rows[1:] if row]
    for number, row in enumerate(body, 2):
        if len(row) != len(names):
            raise UserError(f"{path}:{number}: {len(row)} columns, expected {len(names)} as in line 1")
    return _from_columns(path, {name: [row[index].strip() for row in body] for index, name in enumerate(names)})


def _read_parquet_logits(path: Path) -> RecordedLogits:
    import pyarrow  # takes a tenth of a second
    import pyarrow.parquet

    try:
        return _from_columns(path, pyarrow.parquet.read_table(path).to_pydict())
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _from_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> RecordedLogits:
    named = [name for name in columns if name.lower() in KEY_COLUMNS]
    if len(named) != 1:
        raise UserError(
            f"{path}: {len(named)} columns named file or hash, expected one; found {', '.join(columns)[:200]}"
        )
    classes = [name for name in columns if name not in named]
    logits = np.empty((len(columns[named[0]]), len(classes)), np.float64)
    for index, name in enumerate(classes):
        try:
            logits[:, index] = columns[name]
        except ValueError as error:
            raise UserError(f"{path}: column {name}: {error}") from None
    return RecordedLogits(logits, KEY_COLUMNS[named[0].lower()], [str(key) for key in columns[named[0]]], classes)


def _read_numpy(path: Path) -> RecordedLogits:
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        beside = path.with_name(f"{path.name}.json")
        if not beside.is_file():
            expected = '{"images": FINGERPRINT} beside it, with Dataset.fingerprint() of the images'
            raise UserError(f"{path}: of which images is not known; expected {beside.name} with {expected}")
        return _from_arrays(path, {"logits": content, **json.loads(beside.read_text(encoding="utf-8"))})
    with content:
        return _from_arrays(path, {name: content[name] for name in content.files})


def _read_torch(path: Path) -> RecordedLogits:
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError(f"found {type(content).__name__}, expected a dict with logits and files, hashes or images")
    return _from_arrays(path, {str(name): value for name, value in content.items()})


def _from_arrays(path: Path, content: Mapping[str, Any]) -> RecordedLogits:
    kinds = [kind for kind in ("files", "hashes", "images") if kind in content]
    if "logits" not in content or len(kinds) != 1:
        names = ", ".join(content) or "nothing"
        raise UserError(f"{path}: found {names}, expected logits and one of files, hashes and images")
    logits, keys = np.asarray(content["logits"]), _text_list(content[kinds[0]])
    if logits.ndim != 2 or logits.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: logits {list(logits.shape)} of type {logits.dtype}, expected numbers [images, classes]"
        )
    if kinds != ["images"] and len(keys) != len(logits):
        raise UserError(f"{path}: {len(logits):,} rows of logits, but {len(keys):,} {kinds[0]}")
    classes = _text_list(content["classes"]) if "classes" in content else None
    return RecordedLogits(logits, kinds[0], keys, classes)


def _text_list(value: Any) -> list[str]:
    return [str(text) for text in np.atleast_1d(np.asarray(value)).tolist()]
