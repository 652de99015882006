"""The text that goes with an exported student: its recipe as a space without holes, and a card that explains it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, leaderboard, markdown, wording
from results.experiment import Experiment
from results.export import files, speed
from results.export.speed import Speed
from results.students import knobs
from spaces import document
from spaces.recipe import Model, Named, Recipe

HEADS = ["", "test %", "validation %", "n", "parameters", "MACs", "agreement with teacher %"]

LOAD = """\
```python
from pathlib import Path

import torch

from spaces.space import load{imports}
from trainables.evaluate import predict
from trainables.models import build
from trainables.storage import read_weights
{register}
recipe = load("recipe.yaml").fill({{}}, seed={seed}, teacher_seed={teacher_seed})
model = build(recipe.network, shape={shape}, classes={classes})
model.load_state_dict(read_weights(Path("student.safetensors")))
images = torch.randint(0, 256, (7, *{shape}), dtype=torch.uint8)
logits = predict(model, images)
print(logits.argmax(-1))
```"""

ONNX = """\
```python
import json

import numpy
import onnxruntime

session = onnxruntime.InferenceSession("student.onnx", providers=["CPUExecutionProvider"])
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
images = numpy.random.default_rng(0).integers(0, 256, (7, *{shape}), dtype=numpy.uint8)
(logits,) = session.run(["logits"], {{"images": images}})
print([classes[index] for index in logits.argmax(-1)])
```"""


class Exported(NamedTuple):
    """One student to be explained: its recipe, its row of results.students, and how it was found and verified.

    `shape` is that of an image; `flags` are what the command that reproduces it needs beside the recipe; `speeds` are
    its own and its teachers'.
    """

    place: int
    recipe: Recipe
    row: pandas.Series
    shape: tuple[int, int, int]
    classes: Sequence[str]
    plugins: Sequence[str]
    flags: Sequence[str]
    verified: str
    speeds: dict[str, Speed | None]


def space(recipe: Recipe, name: str) -> str:
    """recipe.yaml: a space that has this recipe as its only cell, and trains it again."""
    parts: dict[str, Any] = recipe.model_dump()
    seeds = {"seeds": [parts.pop("seed")]}
    if parts["teacher"] is not None:
        parts["teacher"]["seeds"] = [parts["teacher"].pop("seed")]
    return document.write({"name": name, **parts, **seeds})


def card(experiment: Experiment, student: Exported) -> str:
    """card.md: what the student is, its numbers with their protocol, how to load it and how to train it again."""
    rank = "the best student by validation" if student.place == 1 else f"number {student.place} by validation"
    parts = [
        f"# {experiment.space.name}: {rank}",
        _what(experiment, student),
        "## Numbers\n\n" + _numbers(experiment, student),
        "## Size and speed\n\n" + speed.table(student.speeds),
        "## Load\n\n" + _shapes(student),
        "The weights, with this project installed:\n\n" + _load(student),
        "The ONNX file, with nothing but onnxruntime; the classes are in its metadata:\n\n"
        + ONNX.format(shape=student.shape),
        "## Reproduce\n\n" + _reproduce(student),
    ]
    return "\n\n".join(parts) + "\n"


def _what(experiment: Experiment, student: Exported) -> str:
    recipe, row = student.recipe, student.row
    teachers = " and ".join(_named(each.network) for each in recipe.teacher_recipes())
    taught = f"distilled from {teachers}" if teachers else "trained on the labels alone"
    return (
        f"{_named(recipe.network)}, {taught} by the method {_named(recipe.method)}; "
        f"{row['parameters']:,} parameters, {row['macs']:,} multiply-accumulates per image. "
        f"Student {row['trial']}, seed {row['seed']}, stage {row['stage']}."
    )


def _named(part: Named) -> str:
    subclasses = {"subclasses": part.subclasses} if isinstance(part, Model) and part.subclasses else {}
    values = ", ".join(f"{name} {value}" for name, value in (part.knobs | subclasses).items())
    return f"{part.name} ({values})" if values else part.name


def _numbers(experiment: Experiment, student: Exported) -> str:
    row, names = student.row, knobs(experiment.students)
    finished = experiment.students[experiment.students["status"] == "finished"]
    peers = leaderboard.matching(finished, dict(row[["stage", *names]]))
    alone = grids.reference(experiment.students, dict(row[names]))
    paired = alone[alone["seed"].isin(peers["seed"])]
    others = markdown.beside_accuracy([experiment])
    groups = {
        "this student": row.to_frame().T,
        "its configuration, all seeds": peers,
        "baseline: the same without a teacher": paired if len(paired) else alone,
    }
    lines = [[*_line(name, group), *_means(group, others)] for name, group in groups.items()]
    if row["teacher_key"] in experiment.teachers:
        known = experiment.teachers[row["teacher_key"]]
        lines.append([*_teacher(known), *_means(pandas.DataFrame([known]), others)])
    notes = [
        *markdown.protocol(experiment),
        markdown.deviation(experiment.students),
        f"Chosen by {experiment.metric}: the configuration by its mean over seeds, then of its students the best one. "
        "What another training may be expected to give is the configuration's line.",
        student.verified,
    ]
    table = markdown.lines([[*HEADS, *map(markdown.head, others)], *lines])
    return "\n".join([*table, "", *(f"- {note}" for note in notes)])


def _line(name: str, group: pandas.DataFrame) -> list[str]:
    if not len(group):
        return [name, "–", "–", "0", "–", "–", "–"]
    test, first = group["test_accuracy"].astype(float), group.iloc[0]
    sizes = [f"{first['parameters']:,}", f"{first['macs']:,}"]
    val, agreement = (wording.percent(group[column].astype(float).mean()) for column in ("val_accuracy", "agreement"))
    return [name, wording.percent(test.mean(), test.std()), val, str(len(group)), *sizes, agreement]


def _means(group: pandas.DataFrame, names: Sequence[str]) -> list[str]:
    """F1 and AUC of students or of a teacher, where there are any."""
    found = (group[name].astype(float).mean() if name in group else float("nan") for name in names)
    return [wording.percent(mean) for mean in found]


def _teacher(known: dict[str, Any]) -> list[str]:
    scores = [wording.percent(known.get(f"{part}_accuracy", float("nan"))) for part in ("test", "val")]
    return ["teacher", *scores, "1", *(f"{known[size]:,}" for size in ("parameters", "macs")), "–"]


def _shapes(student: Exported) -> str:
    return (
        f"Images are {files.images(student.shape)} Any batch will do. Logits are float32 "
        f"`[batch, {len(student.classes)}]`, in the order of the classes {', '.join(student.classes)}."
    )


def _load(student: Exported) -> str:
    files = ", ".join(f'Path("plugins/{name}")' for name in student.plugins)
    recipe = student.recipe
    return LOAD.format(
        imports="\nfrom trainables import plugin" * bool(files),
        register=f"\nplugin.register(plugin.read([{files}]))" * bool(files),
        seed=recipe.seed,
        teacher_seed=recipe.teacher.seed if recipe.teacher else 0,
        shape=student.shape,
        classes=len(student.classes),
    )


def _reproduce(student: Exported) -> str:
    plugins = (part for name in student.plugins for part in ("--plugin", f"plugins/{name}"))
    command = shlex.join(["python", "-m", "search.run", "recipe.yaml", *student.flags, *plugins])
    teacher = student.recipe.teacher
    weights = f" The teacher's weights are read from {teacher.weights}." if teacher and teacher.weights else ""
    return (
        f"In this folder, with this project installed:\n\n```sh\n{command}\n```\n\n"
        "It teaches the teacher unless its answers are in the cache, then trains this student and its baseline, into "
        f"`runs/`.{weights}"
    )
