"""Files of one exported student: written, verified and described."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from results import paths, records, students
from results.experiment import Experiment
from results.export import model_files, onnx_speed
from results.export.chosen_students import ChosenStudent
from results.export.int8 import write_int8
from results.export.model_card import CardData, recipe_space, student_card
from results.export.model_files import CARD, INT8, ONNX, PROGRAM, READER, RECIPE, WEIGHTS
from results.export.onnx_speed import OnnxSpeed
from results.export.verification import compare_int8, verify_export
from results.export.verification_images import VerificationImages
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.plugin import PluginFiles
from trainables.weights import tensor_file


class StudentFiles(NamedTuple):
    """A student, the images to verify it, the files to write."""

    chosen: ChosenStudent
    recipe: Recipe
    rows: students.History
    test: VerificationImages
    plugins: PluginFiles
    int8: bool = False


def write_student(folder: Path, experiment: Experiment, student: StudentFiles) -> list[str]:
    """Write and verify one student; return sentences about it.

    The verification is the first. Raises UserError if a file does not reproduce the trained model.
    """
    recipe, test, trial = student.recipe, student.test, student.chosen.trial
    weights = paths.weights_file(experiment.folder, trial)
    _require_trained_classes(weights, test)
    model = model_files.load_student(weights, recipe, test.shape, len(test.classes))
    folder.mkdir(exist_ok=True)
    metadata = {"recipe": recipe.model_dump_json(), "trial": trial, "classes": json.dumps(test.classes)}
    tensor_file.write_tensors(folder / WEIGHTS, dict(model.state_dict()), metadata)
    program = model_files.export_program(model, test.shape, test.images.dtype)
    (folder / PROGRAM).write_bytes(model_files.program_bytes(program, test.classes, test.depth))
    (folder / ONNX).write_bytes(
        model_files.onnx_bytes(program, test.shape, test.classes, test.depth, test.images.dtype)
    )
    (folder / READER).write_text(model_files.reader_source(), encoding="utf-8")
    (folder / RECIPE).write_text(recipe_space(recipe, f"{experiment.space.name[:80]}-{trial[:8]}"))
    for name, content in student.plugins.items():
        records.write_file(paths.plugin_file(folder, name), content)
    verified = verify_export(folder, model, recipe, student.rows.end, test)
    quantized = _quantize(folder, test) if student.int8 else ""
    remarks = [*filter(None, [verified, quantized])]
    data = CardData(
        student.chosen,
        recipe,
        experiment.students[experiment.students["trial"] == trial].iloc[0],
        test.shape,
        test.images.dtype,
        test.classes,
        [name for name, content in student.plugins.items() if isinstance(content, str)],
        test.flags,
        remarks,
        _speeds(folder, student),
        model_files.input_normalization(model),
    )
    (folder / CARD).write_text(student_card(experiment, data))
    return [*remarks, *filter(None, [student.chosen.remark])]


def _quantize(folder: Path, test: VerificationImages) -> str:
    """Write the 8-bit file; return its accuracy beside the float file's."""
    if test.training is None or test.labels is None:
        raise UserError(f"--int8: needs training images to measure activations: {test.missing}")
    write_int8(folder / ONNX, folder / INT8, test.training)
    return compare_int8(folder, test, len(test.training))


def _speeds(folder: Path, student: StudentFiles) -> dict[str, OnnxSpeed | None]:
    """Return the speeds of the student's files and its teachers."""
    shape, dtype = student.test.shape, student.test.images.dtype
    speeds: dict[str, OnnxSpeed | None] = {
        "this student": onnx_speed.measure_speed((folder / ONNX).read_bytes(), shape, dtype)
    }
    if student.int8:
        speeds["this student, 8 bits"] = onnx_speed.measure_speed((folder / INT8).read_bytes(), shape, dtype)
    return speeds | onnx_speed.teacher_speeds(student.recipe, shape, len(student.test.classes), dtype)


def _require_trained_classes(weights: Path, test: VerificationImages) -> None:
    """Raise UserError if the student was trained with other class names."""
    trained = model_files.trained_classes(weights)
    if trained is not None and trained != test.classes:
        pair = next(pair for pair in zip_longest(trained, test.classes, fillvalue="none") if pair[0] != pair[1])
        raise UserError(f"{weights}: trained with class {pair[0]} in the place of {pair[1]}; nothing is exported")
