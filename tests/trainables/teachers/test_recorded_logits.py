"""Recorded logits of a teacher, aligned by file name, hash or order."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.data import load_dataset
from trainables.distillation_data import DistillationData
from trainables.fit import fit
from trainables.teachers.key import teacher_key
from trainables.teachers.recorded_logits import image_hashes, recorded_outputs
from trainables.teachers.train import train_teacher
from trainables.validate import data_problems

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes of 20 files each, and the logits of each file by its name."""
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    logits = {}
    for index, name in enumerate(("ant", "bee", "cat")):
        (root / name).mkdir()
        for number in range(20):
            Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(root / name / f"{number}.png")
            logits[f"{name}/{number}.png"] = random.normal(size=3) + 3 * np.eye(3)[index]
    return load_dataset("folder", path=str(root), size=8), logits


def write_csv(path: Path, columns: list[str], rows: list[list]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def expected(data, logits, split: int) -> np.ndarray:
    return np.array([logits[name] for name in data.names[split]], np.float32)


def all_images(data) -> np.ndarray:
    return np.concatenate([getattr(data, split).images for split in SPLITS])


def in_order(data, logits) -> np.ndarray:
    return np.concatenate([expected(data, logits, split) for split in range(3)])


@pytest.fixture
def write(photos, tmp_path):
    """Write the logits in each format; return the file."""
    data, logits = photos

    def written(kind: str) -> Path:
        names = list(logits)[::-1]
        table, values = np.array([logits[name] for name in names]), in_order(data, logits)
        if kind == "csv":  # the classes in another order
            rows = [[name, *logits[name][[2, 0, 1]]] for name in names]
            return write_csv(tmp_path / "logits.csv", ["file", "cat", "ant", "bee"], rows)
        if kind == "parquet":
            import pyarrow
            import pyarrow.parquet

            columns = {"file": names, **{name: table[:, i] for i, name in enumerate(data.classes)}}
            pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "logits.parquet")
            return tmp_path / "logits.parquet"
        if kind == "npz hashes":
            np.savez(tmp_path / "logits.npz", logits=values, hashes=image_hashes(all_images(data)))
            return tmp_path / "logits.npz"
        if kind == "npz order":
            np.savez(tmp_path / "logits.npz", logits=values, images=data.fingerprint(), classes=data.classes)
            return tmp_path / "logits.npz"
        if kind == "npy":
            np.save(tmp_path / "logits.npy", values)
            (tmp_path / "logits.npy.json").write_text(json.dumps({"images": data.fingerprint()}))
            return tmp_path / "logits.npy"
        torch.save({"logits": torch.tensor(table), "files": names}, tmp_path / "logits.pt")
        return tmp_path / "logits.pt"

    return written


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz hashes", "npz order", "npy", "pt"])
def test_every_format_gives_the_logits_of_each_image(photos, write, kind):
    data, logits = photos
    outputs = recorded_outputs(str(write(kind)), data)
    for split, name in enumerate(SPLITS):
        np.testing.assert_allclose(getattr(outputs, name), expected(data, logits, split), rtol=1e-6)


def recipe_of(file: Path, **train) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"name": "folder", "path": "photos"},
            "teacher": {"logits": str(file)},
            "student": {"model": {"name": "mlp", "hidden": [8]}},
            "method": {"name": "hinton", "alpha": 0.5, "temperature": 4.0},
            "train": {"epochs": 2, "batch_size": 8, "precision": "float32", **train},
        }
    )


def test_a_student_is_distilled_from_the_file(kd_cache, photos, write):
    data, logits = photos
    recipe = recipe_of(write("csv"))
    assert list(data_problems(recipe, data)) == []
    for cached in (False, True):
        (result,) = train_teacher(recipe, data)
        np.testing.assert_allclose(result.outputs.val, expected(data, logits, 1), rtol=1e-6)
        assert result.record["cached"] is cached and result.record["val_accuracy"] > 0.5
        assert [result.record[name] for name in ("parameters", "macs", "latency_ms", "epochs")] == [None, None, None, 0]
    distilled, alone = (
        [epoch.train_loss for epoch in fit(part, DistillationData(data, outputs))]
        for part, outputs in ((recipe, result.outputs), (recipe.baseline(), None))
    )
    assert distilled != alone


def test_the_file_and_the_names_are_part_of_the_teacher(photos, write):
    data, _ = photos
    file = write("csv")
    key = teacher_key(recipe_of(file), data)
    assert teacher_key(recipe_of(file), data._replace(names=data.names[::-1])) != key
    file.write_text(file.read_text() + "other.png,1,2,3\n")
    assert teacher_key(recipe_of(file), data) != key


def test_a_smaller_data_set_takes_its_part(photos, write):
    data, logits = photos
    few = data.take(9, 3, 3)
    np.testing.assert_allclose(recorded_outputs(str(write("csv")), few).train, expected(few, logits, 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"shift": 1}, "the logits are of the unchanged images, and train.shift changes them in every epoch"),
        ({"augment": {"flip": "horizontal"}}, "and train.augment changes them"),
    ],
)
def test_augmentation_is_refused(photos, write, train, message):
    ((path, text),) = data_problems(recipe_of(write("csv"), **train), photos[0])
    assert path == "teacher.logits" and message in text


def test_a_method_of_layers_is_refused(photos, write):
    tree = recipe_of(write("csv")).model_dump()
    tree["method"] = {"name": "similarity", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}
    ((path, message),) = data_problems(Recipe.model_validate(tree), photos[0])
    assert path == "method.hint" and message.startswith("the network recorded has no layers to observe")


ROW = ["ant/0.png", 1.0, 2.0, 3.0]
WRONG_TABLES = {
    "missing images": (["file", "ant", "bee", "cat"], [ROW], r"no logits for 59 of 60 .*first row is ant/0.png"),
    "no key": (["name", "ant", "bee", "cat"], [ROW], "0 columns named file or hash"),
    "missing class": (["file", "ant", "bee"], [ROW[:3]], "no logits of class cat"),
    "other class": (["file", "ant", "bee", "cat", "cow"], [[*ROW, 4.0]], "cow is no class of the data"),
    "text": (["file", "ant", "bee", "cat"], [["ant/0.png", "a", 2, 3]], "column ant: could not convert"),
    "short row": (["file", "ant", "bee", "cat"], [ROW[:3]], ":2: 3 columns, expected 4 as in line 1"),
    "twice": (["file", "ant", "bee", "cat"], [ROW, ["ant/0.png", 9, 9, 9]], "in rows 1 and 2, with different logits"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_is_one_line(photos, tmp_path, name):
    columns, rows, message = WRONG_TABLES[name]
    with pytest.raises(UserError, match=message) as caught:
        recorded_outputs(str(write_csv(tmp_path / "logits.csv", columns, rows)), photos[0])
    assert "\n" not in str(caught.value)


def change(content: dict, **parts) -> dict:
    return {name: value for name, value in {**content, **parts}.items() if value is not None}


WRONG_ARRAYS = {
    "another order": (lambda c: change(c, images="0" * 32), "recorded for other images, or in another order"),
    "too few": (lambda c: change(c, logits=c["logits"][:-1]), "59 rows, expected one for each of 60 images"),
    "classes": (
        lambda c: change(c, logits=c["logits"][:, :2], classes=None),
        "logits of 2 classes, but",
    ),
    "NaN": (lambda c: change(c, logits=np.where(c["logits"] > 3, np.nan, c["logits"])), "contains NaN or infinite"),
    "probabilities": (lambda c: change(c, logits=np.full((60, 3), 1 / 3)), "holds probabilities, expected logits"),
    "no images": (lambda c: change(c, images=None), "found logits, classes, expected logits and one of files"),
    "rank": (lambda c: change(c, logits=c["logits"][0]), r"logits \[3\] of type float32, expected numbers"),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_wrong_arrays_are_one_line(photos, tmp_path, name):
    data, logits = photos
    edit, message = WRONG_ARRAYS[name]
    content = {"logits": in_order(data, logits), "images": data.fingerprint(), "classes": list(data.classes)}
    np.savez(tmp_path / "logits.npz", **edit(content))
    with pytest.raises(UserError, match=message) as caught:
        recorded_outputs(str(tmp_path / "logits.npz"), data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npz", b"<html></html>", "an HTML page"),
        ("x.pt", b"version https://git-lfs.github.com", "git lfs pull"),
        ("x.npy", b"no array", "not a file of logits"),
        ("x.parquet", b"no table", "not a file of logits"),
        ("x.h5", b"\x89HDF", "an HDF5 file"),
        ("x.txt", b"1 2 3", "expected a file .csv"),
    ],
)
def test_a_wrong_file_is_named_by_its_kind(photos, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        recorded_outputs(str(tmp_path / name), photos[0])
    assert "\n" not in str(caught.value)


def test_an_array_alone_says_what_is_missing(photos, tmp_path):
    np.save(tmp_path / "logits.npy", np.zeros((60, 3)))
    with pytest.raises(UserError, match=r"of which images is not known; expected logits.npy.json"):
        recorded_outputs(str(tmp_path / "logits.npy"), photos[0])


def test_file_names_need_a_data_set_of_files(write, digits):
    with pytest.raises(UserError, match="names files, but digits has none"):
        recorded_outputs(str(write("pt")), digits._replace(classes=("a", "b", "c")))
