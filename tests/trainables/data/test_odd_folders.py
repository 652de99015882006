"""Folders as people have them, made by a generator: types × splits × damages.

Each is read as expected, or refused by lines that name the place; none ends in a traceback, none is silently wrong.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data import Dataset, load_dataset
from trainables.data.dataset import UNLABELED

SIDE = 8
CLASSES = ("ant", "bee", "cat")
SHADES = {"ant": 30, "bee": 120, "cat": 210}  # the gray level says the class of an image
PER_CLASS = 10


class Kind(NamedTuple):
    """Type of image file: suffix, Pillow's format and mode."""

    suffix: str
    format: str
    mode: str


KINDS = {
    "png": Kind(".png", "PNG", "RGB"),
    "PNG": Kind(".PNG", "PNG", "L"),
    "jfif": Kind(".jfif", "JPEG", "RGB"),
    "tiff": Kind(".tif", "TIFF", "CMYK"),
    "palette": Kind(".gif", "GIF", "P"),
    "wrong suffix": Kind(".jpg", "PNG", "RGBA"),
    "16 bits": Kind(".png", "PNG", "I;16"),
    "avif": Kind(".avif", "AVIF", "RGB"),
}


def shade_image(label: str, number: int, kind: Kind) -> bytes:
    """Return an image of the class's shade with one differing pixel, so that no two files are equal."""
    pixels = np.full((SIDE, SIDE), SHADES[label], np.uint8)
    pixels[number // SIDE % SIDE, number % SIDE] = (number * 7) % 251
    if kind.mode == "I;16":
        image = Image.fromarray(pixels.astype(np.uint16) << 4)
    else:
        image = Image.fromarray(pixels).convert("RGB").convert(kind.mode)
    file = io.BytesIO()
    image.save(file, kind.format, **({"quality": 95} if kind.format in ("JPEG", "AVIF") else {}))
    return file.getvalue()


class Folder:
    """Files to be written, by path."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.files, self._count = kind, dict[str, bytes](), 0

    def add(self, folder: str, label: str, n: int = PER_CLASS) -> None:
        for _ in range(n):
            self._count += 1
            self.files[f"{folder}/{self._count:03}{self.kind.suffix}"] = shade_image(label, self._count, self.kind)


def undivided(folder: Folder) -> None:
    for label in CLASSES:
        folder.add(label, label)


def parts(*names: str) -> Callable[[Folder], None]:
    def fill(folder: Folder) -> None:
        for name in names:
            for label in CLASSES:
                folder.add(f"{name}/{label}", label)

    return fill


def nested(folder: Folder) -> None:
    for label in CLASSES:
        folder.add(f"{label}/monday", label, 10)
        folder.add(f"{label}/tuesday/noon", label, 10)


def with_unlabeled(folder: Folder) -> None:
    undivided(folder)
    folder.add("Unlabelled/any/depth", "bee", 7)


SPLITS: dict[str, Callable[[Folder], None]] = {
    "undivided": undivided,
    "train val test": parts("train", "val", "test"),
    "Training testing": parts("Training", "testing"),
    "TRAIN valid": parts("TRAIN", "valid"),
    "train alone": parts("train"),
    "validation": parts("train", "validation", "test"),
    "nested": nested,
    "unlabeled": with_unlabeled,
}


def first(folder: Folder) -> str:
    return next(iter(folder.files))


def truncated(folder: Folder) -> None:
    path = first(folder)
    folder.files[path] = folder.files[path][: len(folder.files[path]) // 2]


def emptied(folder: Folder) -> None:
    for path in list(folder.files)[:3]:
        folder.files[path] = b""


def beside(folder: Folder) -> None:
    label_folder = Path(first(folder)).parent
    folder.files |= {f"{label_folder}/notes.txt": b"words", f"{label_folder}/list.json": b"{}", "README.md": b"x"}


def copied(folder: Folder) -> None:
    """The first image again under another class."""
    path = first(folder)
    other = next(name for name in folder.files if "bee" in name)
    folder.files[str(Path(other).with_name(f"copy{folder.kind.suffix}"))] = folder.files[path]


def html(folder: Folder) -> None:
    folder.files[first(folder)] = b"<html>not found</html>"


# Damage -> words of the refusal, or "" for none; and words of the notes where it is read.
DAMAGES: dict[str, tuple[Callable[[Folder], object], str, str]] = {
    "none": (lambda folder: None, "", ""),
    "truncated": (truncated, "1 of", "unreadable ones are left out: 1"),
    "emptied": (emptied, "3 of", "unreadable ones are left out: 3"),
    "html": (html, "1 of", "unreadable ones are left out: 1"),
    "other files": (beside, "", "other files are skipped: 3 ("),
    "a copy in another class": (copied, "", "equal files have different labels: 1 pairs"),
}


def written(base: Path, folder: Folder) -> None:
    for path, content in folder.files.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(content)


def shades_agree(data: Dataset, folder: Folder, wrong: int) -> None:
    """Every labeled image has the shade of its class, except `wrong` ones."""
    mismatches = 0
    for split in data[:3]:
        for image, label in zip(split.images, split.labels, strict=True):
            if label != UNLABELED:
                nearest = min(SHADES, key=lambda name: abs(SHADES[name] - float(np.median(image))))
                mismatches += nearest != data.classes[label]
    assert mismatches == wrong


CASES = [
    *(("png", split, damage) for split, damage in product(SPLITS, DAMAGES)),
    *((kind, "undivided", damage) for kind, damage in product(KINDS, ("none", "truncated"))),
]


@pytest.mark.parametrize(("kind", "split", "damage"), CASES)
def test_each_folder_is_read_or_refused(tmp_path: Path, kind: str, split: str, damage: str) -> None:
    folder = Folder(KINDS[kind])
    SPLITS[split](folder)
    total = len(folder.files)
    change, refusal, note = DAMAGES[damage]
    change(folder)
    written(tmp_path / "f", folder)
    knobs: dict[str, Any] = {"path": "f", "size": SIDE}
    if refusal:
        with pytest.raises(UserError) as caught:
            load_dataset("folder", tmp_path, **knobs)
        assert refusal in str(caught.value) and str(tmp_path / "f" / first(folder)) in str(caught.value)
        knobs["bad"] = "skip"
    data = load_dataset("folder", tmp_path, **knobs)
    lost = int(refusal.split()[0]) if refusal else 0
    copies = damage == "a copy in another class"
    assert sum(data.sizes.values()) == total - lost + copies
    assert data.classes == CLASSES and any(note in text for text in (*data.notes, ""))
    assert (data.train.labels == UNLABELED).sum() == (7 if split == "unlabeled" else 0)
    shades_agree(data, folder, wrong=int(copies))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"train/ant", "train/bee", "extra/ant"}, "extra: a folder beside train; move it elsewhere"),
        ({"train/ant", "train/bee", "test"}, "test: images without class folders; expected one folder for each class"),
        ({"train/ant", "train/bee", "val/ant", "val/bee", "valid/ant", "valid/bee"}, "val and valid are both val"),
        ({"test/ant", "test/bee"}, "found test but no train"),
        ({"photos/ant", "photos/bee"}, "1 sub-folders, expected at least two, one for each class; if its folders are"),
        ({"train/ant", "train/bee", "test/ant", "test/wasp"}, "only one of them has bee, wasp"),
        ({"train/ant", "train/bee", "train"}, "an image beside the class folders"),
        ({"ant", "bee", "."}, "an image beside the class folders"),
    ],
)
def test_layouts_that_could_be_misread_are_refused(tmp_path: Path, names: set[str], message: str) -> None:
    folder = Folder(KINDS["png"])
    for name in sorted(names):
        folder.add(name, "ant", 12)
    written(tmp_path / "f", folder)
    with pytest.raises(UserError) as caught:
        load_dataset("folder", tmp_path, path="f", size=SIDE)
    assert message in str(caught.value)
    assert all(line.startswith(str(tmp_path / "f")) for line in str(caught.value).splitlines())


def test_everything_odd_is_reported_at_once(tmp_path: Path) -> None:
    folder = Folder(KINDS["png"])
    undivided(folder)
    paths = list(folder.files)
    for path in (paths[0], paths[11], paths[12]):
        folder.files[path] = folder.files[path][:40]
    folder.files["stray.png"] = b"x"
    written(tmp_path / "f", folder)
    (tmp_path / "f" / "dog").mkdir()
    with pytest.raises(UserError) as caught:
        load_dataset("folder", tmp_path, path="f", size=SIDE)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6 and "3 of 30 images are unreadable (bee 2, ant 1); data.bad: skip" in lines[-1]
    assert [line.split(": ")[0] for line in lines[:2]] == [str(tmp_path / "f/stray.png"), str(tmp_path / "f/dog")]


def test_small_classes_and_equal_files_are_noted(tmp_path: Path) -> None:
    folder = Folder(KINDS["png"])
    parts("train", "test")(folder)
    folder.files["test/ant/again.png"] = folder.files["train/ant/001.png"]
    written(tmp_path / "f", folder)
    data = load_dataset("folder", tmp_path, path="f", size=SIDE, validation=0.2)
    assert data.notes[-1] == (
        "1 of the test images equal training images, such as test/ant/again.png and train/ant/001.png: "
        "their scores are too high"
    )
    for path in [name for name in folder.files if name.startswith("test/bee/")][2:]:
        (tmp_path / "f" / path).unlink()
    few = load_dataset("folder", tmp_path, path="f", size=SIDE, validation=0.2).notes
    assert any("few to test on (bee 2)" in note for note in few)


def test_the_deepest_folders_as_classes(tmp_path: Path) -> None:
    folder = Folder(KINDS["png"])
    nested(folder)
    written(tmp_path / "f", folder)
    data = load_dataset("folder", tmp_path, path="f", size=SIDE, classes="deepest")
    assert data.classes[:2] == ("ant/monday", "ant/tuesday/noon") and len(data.classes) == 6
    assert "60 lie in sub-folders of a class folder (data.classes: deepest makes each a class)" in (
        load_dataset("folder", tmp_path, path="f", size=SIDE).notes
    )


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_is_read_like_its_folder(tmp_path: Path, image_cache_folder: Path, suffix: str) -> None:
    folder = Folder(KINDS["png"])
    parts("train", "test")(folder)
    written(tmp_path / "f", folder)
    expected = load_dataset("folder", tmp_path, path="f", size=SIDE)
    archive = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path, content in folder.files.items():
                file.writestr(f"wrapped/{path}", content)
            file.writestr("__MACOSX/._x.png", b"x")
    else:
        with tarfile.open(archive, "w:gz" if suffix.endswith("gz") else "w") as tar:
            tar.add(tmp_path / "f", "wrapped")
    for _ in range(2):  # unpacked, then from the cache
        assert load_dataset("folder", tmp_path, path=archive.name, size=SIDE).fingerprint() == expected.fingerprint()
    assert len([path for path in (image_cache_folder.parent / "unpacked").iterdir() if path.is_dir()]) == 1
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(UserError, match=f"^{archive}: cannot be unpacked"):
        load_dataset("folder", tmp_path, path=archive.name, size=SIDE)


def test_an_archive_cannot_write_elsewhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("../../escaped.png")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(UserError, match=r"a\.tar: cannot be unpacked"):
        load_dataset("folder", tmp_path, path="a.tar")
    assert not list(tmp_path.parent.rglob("escaped.png"))


def table_rows() -> list[list[str]]:
    rows = [["image", "label", "split"]]
    for part, n in (("train", 8), ("valid", 3), ("test", 3)):
        rows += [[f"f/{part}{label}{i}.png", label, part] for label in CLASSES for i in range(n)]
    return rows


@pytest.fixture
def table(tmp_path: Path) -> list[list[str]]:
    """Rows of a table, whose images are written."""
    rows = table_rows()
    (tmp_path / "f").mkdir()
    for number, (path, label, _) in enumerate(rows[1:]):
        (tmp_path / path).write_bytes(shade_image(label, number, KINDS["png"]))
    return rows


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", "; in .csv"])
def test_a_table_of_paths_and_labels(tmp_path: Path, table: list[list[str]], suffix: str) -> None:
    path = tmp_path / "t.csv" if suffix.startswith(";") else tmp_path / f"t{suffix}"
    table[-1][1] = ""  # an unlabeled image
    if suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        columns = {name: [row[i] or None for row in table[1:]] for i, name in enumerate(table[0])}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        separator = {".tsv": "\t", "; in .csv": ";"}.get(suffix, ",")
        path.write_text("".join(separator.join(row) + "\n" for row in table), encoding="utf-8")
    data = load_dataset("folder", tmp_path, path=path.name, size=SIDE)
    assert data.sizes == {"train": 25, "val": 9, "test": 8} and data.classes == CLASSES
    assert (data.train.labels == UNLABELED).sum() == 1
    shades_agree(data, Folder(KINDS["png"]), wrong=0)


TABLE_FAULTS: dict[str, tuple[Callable[[list[list[str]]], object], str]] = {
    "no label column": (lambda rows: rows[0].__setitem__(1, "kind"), "t.csv:1: found the columns image, kind, split"),
    "two path columns": (lambda rows: rows[0].__setitem__(2, "file"), "t.csv:1: image and file could each be the path"),
    "an absent file": (lambda rows: rows[3].__setitem__(0, "f/no.png"), "f/no.png: cannot be read (No such file"),
    "a path outside": (lambda rows: rows[3].__setitem__(0, "../x.png"), "t.csv:4: found '../x.png', expected a path"),
    "two labels": (lambda rows: rows.append([rows[1][0], "bee", "train"]), "is already on line 2 as ant, here as bee"),
    "an unknown part": (lambda rows: rows[5].__setitem__(2, "trian"), "t.csv:6: trian is no part; did you mean train?"),
    "a short line": (lambda rows: rows.append(["x.png"]), "t.csv:44: 1 columns, expected 3 as in line 1"),
    "no rows": (lambda rows: rows.__delitem__(slice(1, None)), "t.csv: 0 classes, expected at least two"),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_faults_of_a_table_are_named_by_line(tmp_path: Path, table: list[list[str]], fault: str) -> None:
    change, message = TABLE_FAULTS[fault]
    change(table)
    (tmp_path / "t.csv").write_text("".join(",".join(row) + "\n" for row in table), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_dataset("folder", tmp_path, path="t.csv", size=SIDE)
    assert message in str(caught.value)


def test_heic_without_its_decoder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.data.image_list.find_spec", lambda name: None)
    folder = Folder(KINDS["png"]._replace(suffix=".heic"))
    undivided(folder)
    written(tmp_path / "f", folder)
    with pytest.raises(UserError, match=r"30 HEIC images need a decoder: pip install pillow-heif$"):
        load_dataset("folder", tmp_path, path="f")
