"""The stages of an experiment: teach the teachers, explore, confirm. What is done already is not done again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ray import tune

from results.students import histories, history
from search.algorithms import MODES, SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.searcher import ATTEMPTS, Suggestions
from search.cluster.heartbeat import RayLostError
from search.plan import estimate
from search.students.spec import DONE, Pack, StudentSpec, cells, status, suggested, teacher_of, todo
from search.trials.grouping import packs, widest
from search.trials.teachers import taught
from search.trials.tuner import Experiment, train, workers
from spaces.space import Space
from trainables.distillation_data import requested_outputs


def run(experiment: Experiment, deadline: float) -> None:
    """Run all stages of a space; an adaptive search proposes nothing new after the deadline (Unix time)."""
    space = experiment.space
    if space.search.algorithm == "grid":
        _train(experiment, "explore", estimate.grid(space, experiment.data))
    else:
        _explore(experiment, deadline)
        if not space.confirm:
            _baseline(experiment, "explore", space.seeds)
    if space.confirm and (chosen := _winners(experiment, "explore", space.confirm.top)):
        again = cells(space, chosen, "confirm", space.confirm.seeds)
        _train(experiment, "confirm", [each for each in again if each.stage == "confirm"])
        _baseline(experiment, "confirm", space.confirm.seeds)


def _baseline(experiment: Experiment, stage: str, seeds: Sequence[int]) -> None:
    """Train the baseline of the winner of a stage: the same student, rates and seeds without the teacher."""
    winner = _winners(experiment, stage, 1)
    again = cells(experiment.space, winner, stage, seeds)
    _train(experiment, "baseline", [each for each in again if each.stage == "baseline"])


def _winners(experiment: Experiment, stage: str, top: int) -> list[dict[str, Any]]:
    """The best of a stage; where nobody has trained to the end, say that what was to come of them is left out."""
    found = best(experiment.space, experiment.folder, stage, top)
    if not found:
        line = f"{stage}: no student trained to its end, so none is confirmed and none has a baseline"
        experiment.display.console.print(line, highlight=False, markup=False, soft_wrap=True)
    return found


def best(space: Space, folder: Path, stage: str, top: int) -> list[dict[str, Any]]:
    """The values with the best mean of the metric over the seeds, among a stage's students that trained to the end."""
    scores, values, longest = defaultdict(list), {}, estimate.longest(space)
    for past in histories(folder):
        budget = past.start["planned_epochs"] == longest  # ranked among equals only
        if past.start["stage"] == stage and status(past) == "finished" and budget:
            label = json.dumps(past.start["values"], sort_keys=True)
            values[label] = past.start["values"]
            scores[label].append(past.epochs[-1][space.search.metric])
    sign = -1 if MODES[space.search.metric] == "max" else 1
    full = max(map(len, scores.values()), default=0)
    ranked = sorted((sign * mean(found), label) for label, found in scores.items() if len(found) == full)
    return [values[label] for _, label in ranked[:top]]


def _train(experiment: Experiment, stage: str, students: Sequence[StudentSpec]) -> None:
    """Train a list of students to their end."""
    left = todo(experiment.folder, students)
    epochs, resumed = _epochs(experiment.folder, students)
    _teach(experiment, left)
    experiment.display.stage(stage, epochs, len(left), resumed)
    made = packs(experiment.space, experiment.data, left, workers(experiment.space))
    _run(experiment, made)
    _again(experiment, left)


def _run(experiment: Experiment, made: list[Pack], referee: PerStudentScheduler | None = None) -> None:
    if made:
        train(experiment, tune.TuneConfig(num_samples=1), {"pack": tune.grid_search(made)}, referee)


def _again(experiment: Experiment, students: Iterable[StudentSpec], referee: PerStudentScheduler | None = None) -> None:
    """Train alone whom Ray has left without an end; raise Lost where it leaves somebody once more.

    It does where a worker died too often with a whole pack, which one of its students may be to blame for, and without
    a word where Tune gives a trial up by itself or was told to end early.
    """
    _run(experiment, [Pack((each,)) for each in _endless(experiment.folder, students)], referee)
    if left := len(_endless(experiment.folder, students)):
        raise RayLostError(f"Ray left students untrained: {left}")


def _endless(folder: Path, students: Iterable[StudentSpec]) -> list[StudentSpec]:
    return [each for each in students if status(history(folder, each.key)) is None]


def _explore(experiment: Experiment, deadline: float) -> None:
    """Let a searcher propose students and a scheduler stop them early."""
    space, folder, longest = experiment.space, experiment.folder, estimate.longest(experiment.space)
    several = workers(space)
    suggestions = Suggestions(
        space,
        folder,
        fits=lambda recipe: estimate.fits(space, recipe, experiment.data),
        deadline=deadline,
        pack=lambda students: packs(space, experiment.data, students, several),
        batch=widest(space, experiment.data, several),
    )
    referee = PerStudentScheduler(SCHEDULERS[space.search.scheduler](space.search, longest))
    referee.replay(suggested(folder))
    samples = suggestions.left + len(suggestions.unfinished)
    if samples > 0:
        _teach(experiment, estimate.teachers(space))
        experiment.display.stage("explore", samples * longest, samples)
        train(experiment, tune.TuneConfig(num_samples=samples, search_alg=suggestions), {}, referee)
        _again(experiment, suggestions.proposed, referee)
        if not suggested(folder):
            raise space.error("search.limit", f"none of {ATTEMPTS} proposals was within it")


def _teach(experiment: Experiment, students: Iterable[StudentSpec]) -> None:
    """Teach the teachers of these students that have not been taught yet, all that any student may ask of them."""
    space = experiment.space
    asked = requested_outputs(space.fill(values, 0) for values in space.probes())
    for student in students:
        name = teacher_of(student.recipe)
        if name and name not in experiment.lessons:
            experiment.lessons[name] = taught(experiment, student, asked)


def _epochs(folder: Path, students: Sequence[StudentSpec]) -> tuple[int, int]:
    """Epochs that these students take together, and how many of them are done."""
    done = 0
    for student in students:
        past = history(folder, student.key)
        over = status(past) in DONE
        done += student.recipe.train.epochs if over else len(past.epochs) if past else 0
    return sum(student.recipe.train.epochs for student in students), done
