"""Export of students: safetensors, ONNX, a PyTorch program, recipe and card.

Every file is reloaded and compared with the trained model before the export folder appears. This is the only part of
`results` that imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from results import paths, records, students
from results.experiment import Experiment, load_experiment
from results.export.atomic_folder import refuse_other_files, staged_folder
from results.export.chosen_students import BEST, FRONT, choose_students, student_recipe
from results.export.model_files import EXTRA_NAMES, NAMES
from results.export.student_files import StudentFiles, write_student
from results.export.verification_images import load_verification_images, recorded_data
from results.paths import Folder
from spaces.errors import UserError
from trainables import plugin
from trainables.plugin import PluginFiles

__all__ = ["WrittenExport", "export", "write_exports"]


class WrittenExport(NamedTuple):
    """The folder of an exported student, and sentences about it."""

    folder: Path
    remarks: list[str]  # the verification first


def export(
    folder: Folder,
    to: Folder | None = None,
    top: int = 1,
    data: Folder | None = None,
    plugins: Sequence[Folder] = (),
    *,
    student: str = BEST,
    int8: bool = False,
) -> list[Path]:
    """Export the `top` best students by validation and return their folders.

    `student` is "best", "baseline" for the best student alone, "front" for the whole front of a space with several
    objectives, or a student's key. With `int8` an 8-bit ONNX file is written too. With `top` > 1, or of a front, each
    student has its own folder `to/1`, `to/2`, …; `to` defaults to RUN/export. Raises
    UserError if there is no such student, the files do not reproduce the recorded results, or `to` holds other files.
    """
    return [written.folder for written in write_exports(folder, to, top, data, plugins, student=student, int8=int8)]


def write_exports(
    folder: Folder,
    to: Folder | None = None,
    top: int = 1,
    data: Folder | None = None,
    plugins: Sequence[Folder] = (),
    *,
    student: str = BEST,
    int8: bool = False,
) -> list[WrittenExport]:
    """Export students as `export` does, and return the remarks too."""
    experiment = load_experiment(folder)
    target = Path(to or experiment.folder / "export").absolute()
    refuse_other_files(target, NAMES, EXTRA_NAMES)
    plugin_files = _register_recorded_plugins(experiment, plugins)
    chosen = choose_students(experiment, student, top)
    rows = {past.start["trial"]: past for past in students.histories(folder)}
    recipes = [student_recipe(experiment, rows[choice.trial].start) for choice in chosen]
    test = load_verification_images(
        experiment.environment, recorded_data(experiment), recipes[0], Path(data) if data else None
    )
    names = [str(rank) for rank in range(1, len(chosen) + 1)] if top > 1 or student == FRONT else ["."]
    with staged_folder(target) as draft:
        remarks = [
            write_student(
                draft / name, experiment, StudentFiles(choice, recipe, rows[choice.trial], test, plugin_files, int8)
            )
            for name, choice, recipe in zip(names, chosen, recipes, strict=True)
        ]
    return [WrittenExport(target / name, lines) for name, lines in zip(names, remarks, strict=True)]


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
