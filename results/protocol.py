"""Protocol of an experiment in sentences: data, loss, seeds, epochs and machine."""

from __future__ import annotations

from collections import Counter

import pandas

from results import wording
from results.experiment import Experiment
from results.records import Row

SELECTION_NOTE = (
    "Configurations are chosen on validation; test metrics are computed once per finished student, and only shown."
)

UNFINISHED = {  # statuses in words
    "stopped": "stopped early on purpose",
    "running": "in training",
    "diverged": "diverged",
    "failed": "failed",
}


def protocol_lines(experiment: Experiment) -> list[str]:
    """Return the protocol, one sentence per part."""
    environment, students = experiment.environment, experiment.students
    data, versions = environment.get("data", {}), environment.get("versions", {})
    sizes = " / ".join(f"{data.get(part, '?'):,}" for part in ("train", "val", "test")) if "train" in data else "?"
    epochs = ", ".join(str(int(count)) for count in sorted(students["planned_epochs"].dropna().unique()))
    notes = [f"Images: {note}." for note in data.get("notes", ())]
    lines = [
        f"Data: {data.get('name', '?')} ({_without_full_stop(data.get('source', '?'))}); {sizes} images for training / "
        f"validation / test; split: {_without_full_stop(data.get('split', '?'))}.",
        *notes,
        f"Loss: {environment.get('loss', '?')}",
        f"{_seeds_text(students)} Epochs: {epochs or '?'}; the last epoch counts. "
        f"Precision: {environment.get('precision', '?')}.",
        f"{_hardware_text(environment)}; "
        f"started {environment.get('started', '?')}{_wall_time_text(experiment)}. Versions: {_version_text(versions)}.",
        *_later_runs(environment),
        *_confirmation_lines(experiment),
        SELECTION_NOTE,
    ]
    return lines + [_unfinished_text(experiment)] * experiment.running


def _confirmation_lines(experiment: Experiment) -> list[str]:
    """Return the images of confirmed students, if they are all images."""
    if not experiment.space.trains_on_all:
        return []
    data = experiment.environment.get("data", {})
    sizes = f" ({data['train']:,} + {data['val']:,})" if "train" in data else ""
    return [
        f"Confirmed students and their baselines are trained on the training and validation images together{sizes}, "
        f"so they have no validation score: their configurations were chosen by {experiment.metric} in exploration. "
        "Their teacher is that of the exploration, trained on the training images."
    ]


def _hardware_text(environment: Row) -> str:
    """Return the machine, or the nodes of a cluster, equal ones together."""
    nodes = environment.get("nodes", [])
    if not nodes:
        return f"Machine: {_machine_text(environment)}"
    counts = Counter(_node_text(node) for node in nodes)
    return f"Nodes: {'; '.join(f'{count} × {text}' for text, count in counts.items())}"


def _node_text(node: Row) -> str:
    gpus = f", {node['gpus']} × {node.get('gpu') or 'GPU'}" if node.get("gpus") else ""
    return f"{_machine_text(node)}{gpus}"


def _machine_text(run: Row) -> str:
    return f"{run.get('device', '?')}, {run.get('cores', '?')} cores"


def _version_text(versions: Row) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "?"


def _later_runs(environment: Row) -> list[str]:
    """Return one line for each later machine or set of versions."""
    return [
        f"Resumed {run['started']} on {_machine_text(run)}, with {_version_text(run['versions'])}."
        for run in environment.get("runs", [])[1:]
    ]


def _without_full_stop(sentence: str) -> str:
    return sentence.rstrip().removesuffix(".")


def _seeds_text(students: pandas.DataFrame) -> str:
    def listed(column: str, stage: str) -> list[str]:
        return [str(int(seed)) for seed in sorted(students.loc[students["stage"] == stage, column].dropna().unique())]

    stages = [f"{', '.join(listed('seed', stage))} ({stage})" for stage in ("explore", "confirm", "baseline")]
    seeds = "; ".join(text for text in stages if not text.startswith(" "))
    teachers = listed("teacher_seed", "explore")
    return f"Seeds: {seeds or '?'}." + (f" Teacher seeds: {', '.join(teachers)}." if len(teachers) > 1 else "")


def _wall_time_text(experiment: Experiment) -> str:
    seconds = experiment.environment.get("wall_seconds")
    return f", {wording.format_duration(seconds)} in all" if seconds is not None else ""


def _unfinished_text(experiment: Experiment) -> str:
    return f"**The search is not done: {student_counts(experiment.students, planned_students(experiment))}.**"


def planned_students(experiment: Experiment) -> int:
    """Return the number of students planned, 0 if it was not recorded."""
    return sum((experiment.environment.get("planned_students") or {}).values())


def student_counts(students: pandas.DataFrame, planned: int = 0) -> str:
    """Return `16 of 25 students finished, 9 stopped early on purpose`.

    Students that are `planned` but not begun count, too.
    """
    counts = students["status"].value_counts()
    parts = [f"{counts.get('finished', 0)} of {max(len(students), planned)} students finished"]
    parts += [f"{counts[status]} {words}" for status, words in UNFINISHED.items() if status in counts]
    return ", ".join(parts)


def deviation_note(students: pandas.DataFrame) -> str:
    """Return the meaning of ± in the tables."""
    explored = students[students["stage"] != "baseline"]
    if explored["teacher_seed"].nunique() > 1:
        return "± is the sample standard deviation over the seeds of student and teacher, which both vary."
    return (
        "± is the sample standard deviation over the students' seeds under one teacher; "
        "another teacher may shift them all."
    )
