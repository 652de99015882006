"""A table of image paths and labels, as CSV or Parquet.

Columns by name: the path, the label, and optionally the part (PATH_COLUMNS, …). Paths are relative to the folder of
the table. A row without a label is an unlabeled image.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from spaces.errors import UserError, did_you_mean
from trainables.data.dataset import UNLABELED
from trainables.data.image_list import ALL, PART_NAMES, TRAIN, UNLABELED_PART, ImageList
from trainables.data.split_files import LabeledFiles
from trainables.data.text_files import table_reader

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
PATH_COLUMNS = ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "img")
LABEL_COLUMNS = ("label", "class", "category", "target", "y")
PART_COLUMNS = ("split", "part", "partition", "set", "subset", "fold")
MAX_LINES = 20  # of problems of one table


class _Row(NamedTuple):
    line: int
    path: str
    label: str
    part: str


def read_image_table(table: Path) -> ImageList:
    """Return the files of a table, and its problems with their lines."""
    rows = list(_read_parquet(table) if table.suffix.lower() == ".parquet" else _read_csv(table))
    problems = list(_row_problems(table, rows))
    unique = {row.path: row for row in reversed(rows)}
    rows = list(reversed(unique.values()))
    labels = sorted({row.label for row in rows if row.label}, key=_numbers_in_order)
    if len(labels) < 2:
        problems.append(f"{table}: {len(labels)} classes, expected at least two")
    number = {label: index for index, label in enumerate(labels)}
    pairs: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        part = PART_NAMES.get(row.part.lower(), ALL) if row.label else UNLABELED_PART
        pairs.setdefault(part, []).append((row.path, number.get(row.label, UNLABELED)))
    if ALL in pairs and pairs.keys() - {ALL, UNLABELED_PART}:
        problems.append(f"{table}: {len(pairs[ALL]):,} rows have no part, the others have; expected one in each row")
    elif ALL not in pairs and TRAIN not in pairs:
        problems.append(f"{table}: no rows of part train")
    files = {part: LabeledFiles.of_pairs(part_pairs) for part, part_pairs in pairs.items()}
    return ImageList(table.parent, tuple(labels), files, _shortened(table, problems), ())


def _row_problems(table: Path, rows: list[_Row]) -> Iterator[str]:
    first: dict[str, _Row] = {}
    for row in rows:
        earlier = first.setdefault(row.path, row)
        if not row.path or Path(row.path).is_absolute() or ".." in Path(row.path).parts:
            yield f"{table}:{row.line}: found {row.path!r}, expected a path below the folder of the table"
        elif earlier is not row:
            difference = "" if earlier.label == row.label else f" as {earlier.label}, here as {row.label}"
            yield f"{table}:{row.line}: {row.path} is already on line {earlier.line}{difference}"
        if row.part and row.part.lower() not in PART_NAMES:
            yield f"{table}:{row.line}: {row.part} is no part{did_you_mean(row.part, PART_NAMES)}"
        if row.label and not row.label.isprintable():
            yield f"{table}:{row.line}: {row.label!a} cannot be the name of a class: it is not printable text"


def _shortened(table: Path, problems: list[str]) -> tuple[str, ...]:
    more = [f"{table}: and {len(problems) - MAX_LINES:,} more problems"] * (len(problems) > MAX_LINES)
    return (*problems[:MAX_LINES], *more)


def _numbers_in_order(label: str) -> tuple[bool, int, str]:
    """Sort 10 after 9, and words after numbers."""
    return (False, int(label), label) if label.isdecimal() else (True, 0, label)


def _read_csv(table: Path) -> Iterator[_Row]:
    reader = table_reader(table)
    try:
        names: list[str] = next(reader, [])
        columns = _columns(table, names)
        for cells in reader:
            if cells:
                if max(columns.values()) >= len(cells):
                    expected = f"expected {len(names)} as in line 1"
                    raise UserError(f"{table}:{reader.line_num}: {len(cells)} columns, {expected}")
                yield _row(reader.line_num, {name: cells[index] for name, index in columns.items()})
    except csv.Error as error:
        raise UserError(f"{table}:{reader.line_num}: not a line of a table ({error})") from error


def _read_parquet(table: Path) -> Iterator[_Row]:
    import pyarrow  # takes a tenth of a second
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.read_table(table)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{table}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
    columns = _columns(table, content.column_names)
    cells = {name: content.column(index).to_pylist() for name, index in columns.items()}
    for line in range(content.num_rows):
        values = {name: "" if column[line] is None else str(column[line]) for name, column in cells.items()}
        yield _row(line + 1, values)


def _columns(table: Path, names: list[str]) -> dict[str, int]:
    """Return the index of the columns path, label and maybe part."""
    lower = [str(name).strip().lower() for name in names]
    columns: dict[str, int] = {}
    for kind, accepted in (("path", PATH_COLUMNS), ("label", LABEL_COLUMNS), ("part", PART_COLUMNS)):
        matching = [index for index, name in enumerate(lower) if name in accepted]
        if len(matching) > 1:
            both = " and ".join(names[index] for index in matching)
            raise UserError(f"{table}:1: {both} could each be the {kind}; rename one of them")
        if matching:
            columns[kind] = matching[0]
        elif kind != "part":
            present = ", ".join(names) or "nothing"
            raise UserError(f"{table}:1: found the columns {present}, expected one named {', '.join(accepted)}")
    return columns


def _row(line: int, cells: Mapping[str, str]) -> _Row:
    path, label, part = (cells.get(kind, "").strip() for kind in ("path", "label", "part"))
    return _Row(line, path, label, part)
