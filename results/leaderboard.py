"""The leaderboard: one line per configuration, ranked on validation among comparable ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas

from results.records import Row
from results.students import DIAGNOSIS_PREFIX, diagnosis_columns, knob_columns, table_rows
from spaces.metrics import METRIC_FIELDS, VAL_FIELDS

Label = Any
_FIRST_NUMBERS = ["val_accuracy", "val_loss", "test_accuracy", "val_std", "test_std", "n", "epochs"]
NUMBERS = [
    *_FIRST_NUMBERS,
    *(name for name in METRIC_FIELDS if name not in _FIRST_NUMBERS),
    *("parameters", "macs", "latency_ms", "agreement", "train_seconds"),
]
MEANS = [*METRIC_FIELDS, "agreement", "latency_ms", "train_seconds"]
INTEGER_NUMBERS = {"n", "epochs", "parameters", "macs"}
FAILURES = ("failed", "diverged")
BEHIND_TEACHER = "behind a teacher"  # stage of an assistant's own teacher, or of a member of an ensemble
STAGE_ORDER = {"baseline": 1, "teacher": 2, BEHIND_TEACHER: 3, "confirm": 4, "explore": 5}  # after the ranked


def build_leaderboard(
    students: pandas.DataFrame, metric: str = "val_accuracy", teachers: Mapping[str, Row] | None = None
) -> pandas.DataFrame:
    """Return one line per configuration and stage.

    Numbers are means over the finished students, accuracies are fractions. Only comparable configurations have a rank:
    those of the confirm stage if there is one, with the full number of seeds. Confirmed ones without validation images
    are ranked by their configurations in exploration. The ranked come first, then baseline, teacher and the rest, at
    the end those without a finished student.
    """
    knobs, diagnoses = knob_columns(students), diagnosis_columns(students)
    rows = _student_lines(comparable_students(students), knobs, diagnoses)
    lines = _lines_as_table(rows + _teacher_lines(teachers or {}, knobs, diagnoses), knobs, diagnoses)
    lines["score"] = ranking_scores(lines, knobs, metric)
    lines["rank"] = _rank_lines(lines)
    place = lines["stage"].map(STAGE_ORDER).fillna(1 + max(STAGE_ORDER.values()))
    place = place.mask((lines["n"] == 0) & lines["stage"].isin(["explore", "confirm"]), 1 + place.max())
    lines["place"] = place.where(lines["rank"].isna(), 0)
    return lines.sort_values(["place", "score"], kind="stable", ignore_index=True).drop(columns=["place", "score"])


def comparable_students(students: pandas.DataFrame) -> pandas.DataFrame:
    """Drop baselines of other seeds than the confirmed students."""
    finished = students[students["status"] == "finished"]
    confirmed, baselines = (set(finished["seed"][finished["stage"] == stage]) for stage in ("confirm", "baseline"))
    seeds = confirmed & baselines
    return students[(students["stage"] != "baseline") | students["seed"].isin(seeds)] if seeds else students


def _lines_as_table(rows: list[Row], knobs: list[str], diagnoses: list[str]) -> pandas.DataFrame:
    # as objects first: a float column would turn a temperature of 4 into 4.0 if the baseline has none
    columns = ["rank", "stage", *knobs, *NUMBERS, *diagnoses, "left_out", "reason"]
    table = pandas.DataFrame(rows, columns=pandas.Index(columns), dtype=object)
    return table.astype({name: "Int64" if name in INTEGER_NUMBERS else float for name in (*NUMBERS, *diagnoses)})


def configuration_numbers(students: pandas.DataFrame) -> pandas.Series:
    """Number the stages and configurations by first appearance, from 0.

    The students with one number differ by their seeds alone.
    """
    if not len(students):
        return pandas.Series(dtype=int)
    return students.groupby(["stage", *knob_columns(students)], dropna=False, sort=False).ngroup()


def label_tuples(students: pandas.DataFrame, columns: Sequence[str]) -> list[tuple[Label, ...]]:
    """Return these columns of each row, None for a missing label."""
    if not columns:  # nothing is searched
        return [()] * len(students)
    values = (students[name].astype(object).where(students[name].notna(), None) for name in columns)
    return list(zip(*values, strict=True))


def group_configurations(students: pandas.DataFrame) -> list[pandas.DataFrame]:
    """Return one group per stage and configuration."""
    return [group for _, group in students.groupby(configuration_numbers(students))]


def _student_lines(students: pandas.DataFrame, knobs: list[str], diagnoses: list[str]) -> list[Row]:
    numbers, is_finished = configuration_numbers(students), students["status"] == "finished"
    finished, left_out = students[is_finished].groupby(numbers), _unfinished_texts(students, numbers)
    means = finished[[*MEANS, *diagnoses]].mean()
    means["val_std"], means["test_std"] = finished["val_accuracy"].std(), finished["test_accuracy"].std()
    means["n"] = finished.size()
    epochs = students.groupby(numbers)["epochs"].max().to_dict() | finished["epochs"].max().to_dict()
    failed = students["reason"][students["status"].isin(FAILURES)].dropna()
    reasons = failed.groupby(numbers).agg(lambda texts: first_line(texts.iloc[0]))
    first = students[~numbers.duplicated()][["stage", *knobs, "parameters", "macs"]]
    mean_rows = dict(zip(means.index, table_rows(means), strict=True))
    return [
        {"n": 0}
        | values
        | mean_rows.get(number, {})
        | {"epochs": epochs[number], "left_out": left_out[number], "reason": reasons.get(number, "")}
        for number, values in enumerate(table_rows(first))
    ]


def _unfinished_texts(students: pandas.DataFrame, numbers: pandas.Series) -> dict[int, str]:
    """Return texts such as `2 stopped, 1 failed` by configuration."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for number, status in zip(numbers, students["status"], strict=True):
        if status != "finished":
            counts[number][status] += 1
    return defaultdict(str, {number: status_counts_text(counter) for number, counter in counts.items()})


def status_counts_text(statuses: Counter[str]) -> str:
    """Return counts of statuses such as `2 stopped, 1 failed`."""
    return ", ".join(f"{count} {status}" for status, count in statuses.most_common())


def first_line(reason: object) -> str:
    """Return the first line of an error, empty without one."""
    return str(reason).strip().split("\n")[0] if isinstance(reason, str) else ""


def _teacher_lines(teachers: Mapping[str, Row], knobs: list[str], diagnoses: list[str]) -> list[Row]:
    """Return one line per teacher and network behind one."""
    groups: dict[str, list[Row]] = {}
    for teacher in teachers.values():
        # members of an ensemble may be the same network, trained for different numbers of epochs
        sizes = [teacher.get(name) for name in ("behind", "parameters", "macs", "epochs")]
        group_key = repr((*sizes, sorted((teacher.get("values") or {}).items())))
        groups.setdefault(group_key, []).append(teacher)
    return [_teacher_line(group, knobs, diagnoses) for group in groups.values()]


def _teacher_line(group: list[Row], knobs: list[str], diagnoses: list[str]) -> Row:
    table, values = pandas.DataFrame(group), group[0].get("values") or {}
    records = pandas.DataFrame([teacher.get("diagnosis") or {} for teacher in group])
    means = records.add_prefix(DIAGNOSIS_PREFIX).mean()
    return {
        "stage": BEHIND_TEACHER if group[0].get("behind") else "teacher",
        **{name: values[name] for name in knobs if name in values},
        **{name: table[name].astype(float).mean() for name in NUMBERS if name in table},
        **{name: means[name] for name in diagnoses if name in means},
        **{f"{split}_std": _deviation(table, f"{split}_accuracy") for split in ("val", "test")},
        "n": len(group),
        "left_out": "",
        "reason": "",
    }


def _deviation(table: pandas.DataFrame, name: str) -> float:
    return float(table[name].astype(float).std()) if name in table else float("nan")


def sort_key(lines: pandas.DataFrame, metric: str) -> pandas.Series:
    """Return the metric as numbers to sort by, the best first."""
    return lines[metric] if VAL_FIELDS[metric].metric.direction == "min" else -lines[metric]


def ranking_scores(lines: pandas.DataFrame, knobs: list[str], metric: str) -> pandas.Series:
    """Return the scores to rank by, the best first.

    A confirmed configuration that was trained on the validation images has that of the same one in exploration.
    """
    scores = sort_key(lines, metric)
    for index in lines.index[(lines["stage"] == "confirm") & (lines["n"] > 0) & scores.isna()]:
        explored = matching_students(lines, {"stage": "explore", **lines.loc[index, knobs]})
        scores[index] = scores[explored.index].min()
    return scores


def _rank_lines(lines: pandas.DataFrame) -> pandas.Series:
    finished = lines[lines["n"] > 0]
    stage = "confirm" if (finished["stage"] == "confirm").any() else "explore"
    peers = finished[finished["stage"] == stage]
    peers = peers[peers["n"] == peers["n"].max()]
    return peers["score"].rank(method="min").reindex(lines.index).astype("Int64")


def best_trials(students: pandas.DataFrame, top: int = 1, metric: str = "val_accuracy") -> list[str]:
    """Return the best student of each of the `top` ranked configurations.

    Both configuration and student are chosen on validation. Without validation images it is the first by seed.
    """
    lines = build_leaderboard(students, metric)
    return best_students(students, lines[lines["rank"].notna()].head(top), metric)


def best_students(students: pandas.DataFrame, lines: pandas.DataFrame, metric: str) -> list[str]:
    """Return the best student of each line of a leaderboard, by validation."""
    chosen = lines[["stage", *knob_columns(students)]]
    groups = [matching_students(students, dict(line)) for _, line in chosen.iterrows()]
    finished = [group[group["status"] == "finished"] for group in groups]
    return [first_by_validation(group, metric) for group in finished]


def first_by_validation(students: pandas.DataFrame, metric: str) -> str:
    """Return the best student of a configuration, by its trial.

    Without validation images it is that of the lowest seed.
    """
    ordered = students.assign(score=sort_key(students, metric)).sort_values(["score", "seed"], kind="stable")
    return str(ordered["trial"].iloc[0])


def matching_students(students: pandas.DataFrame, values: Mapping[Any, Label]) -> pandas.DataFrame:
    """Return the students with these labels.

    A missing label matches students without the knob.
    """
    matching = students
    for name, label in values.items():
        matching = matching[matching[name].isna() if pandas.isna(label) else matching[name] == label]
    return matching
