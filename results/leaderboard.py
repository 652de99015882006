"""Students to the leaderboard: one line per configuration, ranked among equals, and whom to export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas

from results import students as student_rows
from results.records import Row

Label = Any
UNEVEN = ("val_macro_f1", "val_auc", *student_rows.UNEVEN)  # what classes of unequal size ask for
NUMBERS = [
    *("val_accuracy", "val_loss", "test_accuracy", "test_std", "n", "epochs"),
    *UNEVEN,
    *("parameters", "macs", "latency_ms", "agreement", "train_seconds", "left_out"),
]
MEANS = ("val_accuracy", "val_loss", *UNEVEN, "agreement", "latency_ms", "train_seconds")
BEHIND = "behind a teacher"  # an assistant's own teacher, a member of an ensemble
WHOLE = {"n", "epochs", "parameters", "macs"}


def leaderboard(
    students: pandas.DataFrame, metric: str = "val_accuracy", teachers: Mapping[str, Row] | None = None
) -> pandas.DataFrame:
    """One line per configuration and stage, accuracies as fractions: the ranked, baseline, teacher, the others.

    Only finished students count. A rank is given among equals alone: the confirm stage where there is one, the full
    number of seeds, the same number of epochs.
    """
    names, others = student_rows.knobs(students), student_rows.diagnoses(students)
    groups = configurations(_comparable(students))
    told = [_line(group, names, others) for group in groups] + _teacher_lines(teachers or {}, names, others)
    lines = _table(told, names, others)
    lines["rank"] = _rank(lines, metric)
    place = lines["stage"].map({"baseline": 1, "teacher": 2, BEHIND: 3, "confirm": 4, "explore": 5}).fillna(6)
    lines["place"] = place.where(lines["rank"].isna(), 0)
    lines["score"] = score(lines, metric)
    return lines.sort_values(["place", "score"], kind="stable", ignore_index=True).drop(columns=["place", "score"])


def _comparable(students: pandas.DataFrame) -> pandas.DataFrame:
    """Without the baselines of other seeds than the confirmed students have, once there are confirmed students."""
    done = students[students["status"] == "finished"]
    seeds = set(done["seed"][done["stage"] == "confirm"]) & set(done["seed"][done["stage"] == "baseline"])
    return students[(students["stage"] != "baseline") | students["seed"].isin(seeds)] if seeds else students


def _table(lines: list[Row], knobs: list[str], others: list[str]) -> pandas.DataFrame:
    # as objects first, so that a temperature of 4 does not become 4.0 beside a baseline that has none
    columns = ["rank", "stage", *knobs, *NUMBERS[:-1], *others, NUMBERS[-1]]
    table = pandas.DataFrame(lines, columns=pandas.Index(columns), dtype=object)
    numbers = [name for name in (*NUMBERS, *others) if name != "left_out"]
    return table.astype({name: "Int64" if name in WHOLE else float for name in numbers})


def configurations(students: pandas.DataFrame) -> list[pandas.DataFrame]:
    """The students of each stage and configuration, which differ by their seeds alone."""
    if not len(students):
        return []
    by = ["stage", *student_rows.knobs(students)]
    return [group for _, group in students.groupby(by, dropna=False, sort=False)]


def _line(group: pandas.DataFrame, knobs: list[str], others: list[str]) -> Row:
    done, first = group[group["status"] == "finished"], group.iloc[0]
    means = {name: done[name].mean() for name in (*MEANS, *others)}
    test = {"test_accuracy": done["test_accuracy"].mean(), "test_std": done["test_accuracy"].std()}
    copied = {name: first[name] for name in ["stage", *knobs, "parameters", "macs"]}
    rest = group["status"][group["status"] != "finished"].value_counts()
    left_out = ", ".join(f"{count} {status}" for status, count in rest.items())
    epochs = done["epochs"].max() if len(done) else group["epochs"].max()
    return copied | means | test | {"n": len(done), "epochs": epochs, "left_out": left_out}


def _teacher_lines(teachers: Mapping[str, Row], knobs: list[str], others: list[str]) -> list[Row]:
    """One line for the seeds of each teacher, and of each network that stands behind one."""
    groups: dict[str, list[Row]] = {}
    for teacher in teachers.values():
        # members of one ensemble may have the same network and yet be trained for other numbers of epochs
        sizes = [teacher.get(name) for name in ("behind", "parameters", "macs", "epochs")]
        alike = (*sizes, sorted((teacher.get("values") or {}).items()))
        groups.setdefault(repr(alike), []).append(teacher)
    return [_teacher_line(group, knobs, others) for group in groups.values()]


def _teacher_line(group: list[Row], knobs: list[str], others: list[str]) -> Row:
    table, values = pandas.DataFrame(group), group[0].get("values") or {}
    known = {name: table[name].astype(float).mean() for name in NUMBERS if name in table}
    said = pandas.DataFrame([each.get("diagnosis") or {} for each in group]).add_prefix(student_rows.DIAGNOSIS).mean()
    known |= {name: said[name] for name in others if name in said}
    test = {"test_std": table["test_accuracy"].std(), "n": len(group), "left_out": ""}
    stage = {"stage": BEHIND if group[0].get("behind") else "teacher"}
    return stage | {name: values[name] for name in knobs if name in values} | known | test


def score(lines: pandas.DataFrame, metric: str) -> pandas.Series:
    """What to sort by, the smallest first: losses as they are, accuracies negated."""
    return lines[metric] if metric.endswith("loss") else -lines[metric]


def _rank(lines: pandas.DataFrame, metric: str) -> pandas.Series:
    done = lines[lines["n"] > 0]
    stage = "confirm" if (done["stage"] == "confirm").any() else "explore"
    peers = done[done["stage"] == stage]
    equals = peers[peers["epochs"] == peers["epochs"].max()]
    equals = equals[equals["n"] == equals["n"].max()]
    return score(equals, metric).rank(method="min").reindex(lines.index).astype("Int64")


def best(students: pandas.DataFrame, top: int = 1, metric: str = "val_accuracy") -> list[str]:
    """The trials to export: of each of the `top` ranked configurations the student that did best on validation."""
    order = leaderboard(students, metric)
    by = ["stage", *student_rows.knobs(students)]
    chosen = order[order["rank"].notna()].head(top)[by]
    groups = [matching(students, dict(line)) for _, line in chosen.iterrows()]
    done = [group[group["status"] == "finished"] for group in groups]
    return [str(group["trial"].iloc[score(group, metric).argmin()]) for group in done]


def matching(students: pandas.DataFrame, values: Mapping[Any, Label]) -> pandas.DataFrame:
    """The students with these labels; a missing label asks for students that do not have the knob."""
    kept = students
    for name, label in values.items():
        kept = kept[kept[name].isna() if pandas.isna(label) else kept[name] == label]
    return kept
