"""The best students of an experiment as files that stand alone, reloaded and compared before they are there.

The only part of results that needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from results import experiment as experiments
from results import leaderboard, records, students
from results.experiment import Experiment
from results.export import files, speed
from results.export.card import Exported, card, space
from results.export.exam import Exam, sit
from results.export.files import CARD, NAMES, ONNX, RECIPE, WEIGHTS
from results.export.speed import Speed
from results.export.staging import refuse, staged
from results.export.verify import verify
from results.records import Folder, Row
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin
from trainables.weights import tensor_file

__all__ = ["Written", "export", "write"]


class Written(NamedTuple):
    """The folder of one exported student, and in a sentence what was verified."""

    folder: Path
    verified: str


def export(
    folder: Folder, to: Folder | None = None, top: int = 1, data: Folder | None = None, plugins: Sequence[Folder] = ()
) -> list[Path]:
    """Write the best student by validation, or each of the `top` best into a folder of its own; return the folders.

    Raises UserError where no student is ranked, files do not give the recorded results, or `to` holds something else.
    """
    return [student.folder for student in write(folder, to, top, data, plugins)]


def write(
    folder: Folder, to: Folder | None = None, top: int = 1, data: Folder | None = None, plugins: Sequence[Folder] = ()
) -> list[Written]:
    """As `export`, with what was verified of each student."""
    experiment = experiments.load(folder)
    target = Path(to or experiment.folder / "export").absolute()
    refuse(target, NAMES, {"plugins"})
    _register(experiment, plugins)
    chosen = leaderboard.best(experiment.students, top, experiment.metric)
    if not chosen:
        raise UserError(
            f"{folder}: nothing to export: no configuration is ranked yet, and the baseline is not exported"
        )
    rows = {student.start["trial"]: student for student in students.histories(folder)}
    recipes = [_recipe(experiment, rows[trial].start) for trial in chosen]
    test = sit(experiment.environment, recipes[0], Path(data) if data else None)
    names = [str(place) for place in range(1, len(chosen) + 1)] if top > 1 else ["."]
    with staged(target) as draft:
        said = [
            _student(draft / names[at], experiment, at + 1, recipe, rows[trial], test)
            for at, (trial, recipe) in enumerate(zip(chosen, recipes, strict=True))
        ]
    return [Written(target / name, verified) for name, verified in zip(names, said, strict=True)]


def _register(experiment: Experiment, plugins: Sequence[Folder]) -> None:
    """Run the plugins of the experiment, which the user has to name again: code in a folder is never run unasked."""
    sources = plugin.read([Path(path) for path in plugins])
    recorded = experiment.environment.get("plugins", sources)
    if sources.keys() != recorded.keys():
        flags = " ".join(f"--plugin {name}" for name in recorded) or "no --plugin"
        raise UserError(f"{experiment.folder} was run with {flags}; expected the same here")
    if changed := [name for name in sources if sources[name] != recorded[name]]:
        raise UserError(
            f"--plugin {changed[0]}: not as the experiment was run with it; environment.json holds that text"
        )
    plugin.register(sources)


def _recipe(experiment: Experiment, start: Row) -> Recipe:
    values, teacher_seed = start.get("values") or {}, start.get("teacher_seed") or 0
    return experiment.space.fill(values, start["seed"], teacher_seed).canonical()


def _student(
    folder: Path, experiment: Experiment, place: int, recipe: Recipe, rows: students.History, test: Exam
) -> str:
    """Write one student into a folder and verify it; return what was verified."""
    trial = rows.start["trial"]
    model = files.model(records.weights_file(experiment.folder, trial), recipe, test.shape, len(test.classes))
    folder.mkdir(exist_ok=True)
    tensor_file.write(folder / WEIGHTS, dict(model.state_dict()), {"recipe": recipe.model_dump_json(), "trial": trial})
    (folder / ONNX).write_bytes(files.onnx_bytes(model, test.shape, test.classes))
    (folder / RECIPE).write_text(space(recipe, f"{experiment.space.name[:80]}-{trial[:8]}"))
    plugins = experiment.environment.get("plugins", {})
    for name, source in plugins.items():
        records.replace(folder / "plugins" / name, source)
    verified = verify(folder, model, recipe, rows.end, test)
    row = experiment.students[experiment.students["trial"] == trial].iloc[0]
    speeds: dict[str, Speed | None] = {"this student": speed.measure((folder / ONNX).read_bytes(), test.shape)}
    speeds |= speed.teachers(recipe, test.shape, len(test.classes))
    about = Exported(place, recipe, row, test.shape, test.classes, list(plugins), test.flags, verified, speeds)
    (folder / CARD).write_text(card(experiment, about))
    return verified
