"""Texts of an export: recipe.yaml and card.md."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas
import torch

from results import grids, leaderboard, markdown, number_columns
from results.experiment import Experiment
from results.export import card_code, model_files, onnx_speed
from results.export.card_header import card_header
from results.export.chosen_students import ChosenStudent
from results.export.onnx_speed import OnnxSpeed
from results.protocol import deviation_note, protocol_lines
from results.students import knob_columns
from results.verdict import experiment_verdict
from spaces import document
from spaces.metrics import VAL_FIELDS
from spaces.parts import Model, NamedPart
from spaces.recipe import Recipe

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:[^\s/,;:()]+/)*([^\s/,;:()]+)")  # keeps the last part
# the test metrics first
CARD_NUMBERS = (
    *sorted(number_columns.MAIN_METRICS, key=lambda name: name in VAL_FIELDS),
    *("n", "parameters", "macs", "agreement"),
)


class CardData(NamedTuple):
    """Content of a card.

    `chosen` has the title. `row` is the student's row of `results.students`, `shape` that of an image, `flags`
    those of the command to train it again; `speeds` includes the teachers.
    """

    chosen: ChosenStudent
    recipe: Recipe
    row: pandas.Series
    shape: tuple[int, ...]
    dtype: torch.dtype  # of the inputs
    classes: Sequence[str]
    plugins: Sequence[str]
    flags: Sequence[str]
    remarks: Sequence[str]
    speeds: dict[str, OnnxSpeed | None]
    normalization: str = ""


def recipe_space(recipe: Recipe, name: str) -> str:
    """Return recipe.yaml: a space with this recipe as its only configuration.

    A distilled student that was trained on all images is a confirmed one there, too.
    """
    parts: dict[str, Any] = recipe.model_dump(exclude={"train_on"})
    seed = parts.pop("seed")
    seeds: dict[str, Any] = {"seeds": [seed]}
    if recipe.train_on == "all" and recipe.method.name != "none":
        seeds = {"seeds": [seed + 1], "confirm": {"top": 1, "seeds": [seed], "train_on": "all"}}
    if parts["teacher"] is not None:
        parts["teacher"]["seeds"] = [parts["teacher"].pop("seed")]
    return document.dump_yaml({"name": name, **parts, **seeds})


def student_card(experiment: Experiment, student: CardData) -> str:
    """Return card.md: description, results with protocol, loading and reproduction."""
    parts = [
        card_header(experiment.space.name, student.recipe.data.name, student.row),
        f"# {experiment.space.name}: {student.chosen.title}",
        *([f"**{student.chosen.remark}**"] if student.chosen.remark else []),
        _description(experiment, student),
        "## Results\n\n" + _results(experiment, student),
        "## Size and speed\n\n" + onnx_speed.speed_table(student.speeds),
        "## Load\n\n" + _input_and_output(student),
        "The weights, with this project installed:\n\n" + _loading_code(student),
        "The PyTorch program, with PyTorch only; it has the same inputs and outputs:\n\n"
        + card_code.PROGRAM.format(torch_inputs=_inputs_code(student, card_code.TORCH_INPUTS)),
        "The ONNX file, with onnxruntime only; its metadata contain the classes:\n\n"
        + card_code.ONNX.format(numpy_inputs=_inputs_code(student, card_code.NUMPY_INPUTS)),
        "## Reproduce\n\n" + _reproduce(student),
    ]
    return "\n\n".join(parts) + "\n"


def _description(experiment: Experiment, student: CardData) -> str:
    recipe, row = student.recipe, student.row
    teachers = " and ".join(_part_with_knobs(teacher.network) for teacher in recipe.teacher_recipes())
    training = f"distilled from {teachers}" if teachers else "trained on labels only"
    return (
        f"{_part_with_knobs(recipe.network)}, {training} by the method {_part_with_knobs(recipe.method)}; "
        f"{row['parameters']:,} parameters, {row['macs']:,} multiply-accumulates per image. "
        f"Student {row['trial']}, seed {row['seed']}, stage {row['stage']}."
    )


def _part_with_knobs(part: NamedPart) -> str:
    subclasses = {"subclasses": part.subclasses} if isinstance(part, Model) and part.subclasses else {}
    values = ", ".join(f"{name} {value}" for name, value in (part.knobs | subclasses).items())
    values = MACHINE_PATH.sub(r"\1", values)
    return f"{part.name} ({values})" if values else part.name


def _results(experiment: Experiment, student: CardData) -> str:
    row, names = student.row, knob_columns(experiment.students)
    finished = experiment.students[experiment.students["status"] == "finished"]
    peers = leaderboard.matching_students(finished, dict(row[["stage", *names]]))
    baselines = grids.matching_baselines(finished, dict(row[names]))
    paired = baselines[baselines["seed"].isin(peers["seed"])]
    numbers = [
        *CARD_NUMBERS,
        *number_columns.unequal_class_numbers([experiment]),
        *number_columns.measured_numbers(experiment),
    ]
    groups = {
        "this student": row.to_frame().T,
        "its configuration, all seeds": peers,
        "baseline: the same without a teacher": paired if len(paired) else baselines,
    }
    if row["teacher_key"] in experiment.teachers:
        groups["teacher"] = pandas.DataFrame([experiment.teachers[row["teacher_key"]]])
    lines = [[name, *(_mean_text(group, number) for number in numbers)] for name, group in groups.items()]
    has_validation = not pandas.isna(row[experiment.metric])
    then = "then the best of its students" if has_validation else "in exploration, then its student of the lowest seed"
    notes = [
        *protocol_lines(experiment),
        deviation_note(experiment.students),
        f"Chosen by {', '.join(experiment.objectives)}: first the configuration by its mean over seeds, {then}. "
        "Expect the result of the configuration, not of this student, from another training.",
        *(MACHINE_PATH.sub(r"\1", remark) for remark in student.remarks),
    ]
    table = markdown.table_lines([["", *map(number_columns.number_head, numbers)], *lines])
    verdict = markdown.verdict_lines(experiment_verdict(experiment))
    return "\n".join([*verdict, *table, "", *(f"- {note}" for note in notes)])


def _mean_text(group: pandas.DataFrame, number: str) -> str:
    """Return the mean over a group, a dash for a missing column."""
    if number == "n":
        return str(len(group))
    if number not in group:
        return number_columns.format_number(number, float("nan"))
    values = group[number].astype(float)
    deviation = values.std() if number == "test_accuracy" else float("nan")
    return number_columns.format_number(number, values.mean(), deviation)


def _input_and_output(student: CardData) -> str:
    normalizing = f" It also {student.normalization}." if student.normalization else ""
    inputs = model_files.describe_images(student.shape, student.dtype)
    return (
        f"Images are {inputs}{normalizing} Any batch size is accepted. Logits are "
        f"float32 `[batch, {len(student.classes)}]`, in the order of the classes {', '.join(student.classes)}."
    )


def _inputs_code(student: CardData, code: tuple[str, str]) -> str:
    return code[student.dtype != torch.uint8].format(shape=student.shape)


def _loading_code(student: CardData) -> str:
    files = ", ".join(f'Path("plugins/{name}")' for name in student.plugins)
    recipe = student.recipe
    return card_code.LOAD.format(
        imports="\nfrom trainables import plugin" * bool(files),
        register=f"\nplugin.register_plugins(plugin.read_plugins([{files}]))" * bool(files),
        seed=recipe.seed,
        teacher_seed=recipe.teacher.seed if recipe.teacher else 0,
        shape=student.shape,
        torch_inputs=_inputs_code(student, card_code.TORCH_INPUTS),
        classes=len(student.classes),
    )


def _reproduce(student: CardData) -> str:
    plugins = (part for name in student.plugins for part in ("--plugin", f"plugins/{name}"))
    command = shlex.join(["python", "-m", "search.run", "recipe.yaml", *student.flags, *plugins])
    teacher = student.recipe.teacher
    file = Path(teacher.weights).name if teacher and teacher.weights else ""
    weights = f" The teacher's weights are read from {file}, which recipe.yaml names." if file else ""
    weights += " DIR is the folder of the data sets." if "--data" in student.flags else ""
    return (
        f"In this folder, with this project installed:\n\n```sh\n{command}\n```\n\n"
        "The command trains the teacher unless its outputs are in the cache, then this student and its baseline, into "
        f"`runs/`.{weights}"
    )
