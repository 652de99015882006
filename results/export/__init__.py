"""Export of the best students: safetensors, ONNX, recipe and card.

Every file is reloaded and compared with the trained model before the export folder appears. This is the only part of
`results` that imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from results import leaderboard, paths, records, students
from results.experiment import Experiment, load_experiment
from results.export import model_files, onnx_speed
from results.export.atomic_folder import refuse_other_files, staged_folder
from results.export.model_card import CardData, recipe_space, student_card
from results.export.model_files import CARD, NAMES, ONNX, READER, RECIPE, WEIGHTS
from results.export.onnx_speed import OnnxSpeed
from results.export.verification import verify_export
from results.export.verification_images import VerificationImages, load_verification_images, recorded_data
from results.paths import Folder
from results.records import Row
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin
from trainables.baseline import canonical_recipe
from trainables.plugin import PluginFiles
from trainables.weights import tensor_file

__all__ = ["WrittenExport", "export", "write_exports"]


class WrittenExport(NamedTuple):
    """The folder of an exported student, and the verification in one sentence."""

    folder: Path
    verified: str


def export(
    folder: Folder, to: Folder | None = None, top: int = 1, data: Folder | None = None, plugins: Sequence[Folder] = ()
) -> list[Path]:
    """Export the `top` best students by validation and return their folders.

    With `top` > 1 each student has its own folder `to/1`, `to/2`, …; `to` defaults to RUN/export. Raises UserError if
    no configuration is ranked, the files do not reproduce the recorded results, or `to` holds other files.
    """
    return [student.folder for student in write_exports(folder, to, top, data, plugins)]


def write_exports(
    folder: Folder, to: Folder | None = None, top: int = 1, data: Folder | None = None, plugins: Sequence[Folder] = ()
) -> list[WrittenExport]:
    """Export students as `export` does, and return the verifications too."""
    experiment = load_experiment(folder)
    target = Path(to or experiment.folder / "export").absolute()
    refuse_other_files(target, NAMES, {"plugins"})
    plugin_files = _register_recorded_plugins(experiment, plugins)
    chosen = leaderboard.best_trials(experiment.students, top, experiment.metric)
    if not chosen:
        raise UserError(f"{folder}: nothing to export, no configuration is ranked yet (baselines are not exported)")
    rows = {student.start["trial"]: student for student in students.histories(folder)}
    recipes = [_student_recipe(experiment, rows[trial].start) for trial in chosen]
    test = load_verification_images(
        experiment.environment, recorded_data(experiment), recipes[0], Path(data) if data else None
    )
    names = [str(rank) for rank in range(1, len(chosen) + 1)] if top > 1 else ["."]
    with staged_folder(target) as draft:
        verified = [
            _write_student(draft / name, experiment, rank, recipe, rows[trial], test, plugin_files)
            for rank, (name, trial, recipe) in enumerate(zip(names, chosen, recipes, strict=True), start=1)
        ]
    return [WrittenExport(target / name, sentence) for name, sentence in zip(names, verified, strict=True)]


def _register_recorded_plugins(experiment: Experiment, plugins: Sequence[Folder]) -> PluginFiles:
    """Register the plugins of the experiment, and return their files.

    The user names them again: code stored in an experiment folder is never run by itself.
    """
    files = plugin.read_plugins([Path(path) for path in plugins])
    sources = {name: content for name, content in files.items() if isinstance(content, str)}
    recorded = experiment.environment.get("plugins", sources)
    if sources.keys() != recorded.keys():
        flags = " ".join(f"--plugin {name}" for name in recorded) or "no --plugin"
        raise UserError(f"{experiment.folder}: was run with {flags}; use the same plugins here")
    digests = plugin.plugin_digests(files)
    # An experiment of an earlier version recorded the plugins, but no files beside them.
    expected = records.read_identity(experiment.folder).get("plugins") or digests | plugin.plugin_digests(recorded)
    if changed := [name for name in {**expected, **digests} if expected.get(name) != digests.get(name)]:
        copies = paths.plugin_file(experiment.folder, "")
        raise UserError(
            f"--plugin {changed[0]}: differs from the file used by the experiment; {copies} holds that version"
        )
    plugin.register_plugins(files)
    return files


def _student_recipe(experiment: Experiment, start: Row) -> Recipe:
    values, teacher_seed = start.get("values") or {}, start.get("teacher_seed") or 0
    return canonical_recipe(experiment.space.fill(values, start["seed"], teacher_seed))


def _require_trained_classes(weights: Path, test: VerificationImages) -> None:
    """Raise UserError if the student was trained with other class names."""
    trained = model_files.trained_classes(weights)
    if trained is not None and trained != test.classes:
        pair = next(pair for pair in zip_longest(trained, test.classes, fillvalue="none") if pair[0] != pair[1])
        raise UserError(f"{weights}: trained with class {pair[0]} in the place of {pair[1]}; nothing is exported")


def _write_student(
    folder: Path,
    experiment: Experiment,
    rank: int,
    recipe: Recipe,
    rows: students.History,
    test: VerificationImages,
    plugins: PluginFiles,
) -> str:
    """Write and verify one student; return the verification in one sentence."""
    trial = rows.start["trial"]
    weights = paths.weights_file(experiment.folder, trial)
    _require_trained_classes(weights, test)
    model = model_files.load_student(weights, recipe, test.shape, len(test.classes))
    folder.mkdir(exist_ok=True)
    metadata = {"recipe": recipe.model_dump_json(), "trial": trial, "classes": json.dumps(test.classes)}
    tensor_file.write_tensors(folder / WEIGHTS, dict(model.state_dict()), metadata)
    (folder / ONNX).write_bytes(model_files.onnx_bytes(model, test.shape, test.classes, test.depth, test.images.dtype))
    (folder / READER).write_text(model_files.reader_source(), encoding="utf-8")
    (folder / RECIPE).write_text(recipe_space(recipe, f"{experiment.space.name[:80]}-{trial[:8]}"))
    for name, content in plugins.items():
        records.write_file(paths.plugin_file(folder, name), content)
    verified = verify_export(folder, model, recipe, rows.end, test)
    row = experiment.students[experiment.students["trial"] == trial].iloc[0]
    own_speed = onnx_speed.measure_speed((folder / ONNX).read_bytes(), test.shape, test.images.dtype)
    speeds: dict[str, OnnxSpeed | None] = {"this student": own_speed}
    speeds |= onnx_speed.teacher_speeds(recipe, test.shape, len(test.classes), test.images.dtype)
    flagged = [name for name, content in plugins.items() if isinstance(content, str)]
    data = CardData(
        rank, recipe, row, test.shape, test.images.dtype, test.classes, flagged, test.flags, verified, speeds
    )
    (folder / CARD).write_text(student_card(experiment, data))
    return verified
