"""One leaderboard over several experiments with the same protocol."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas

from results import contrasts, leaderboard, markdown, number_columns, stats, wording
from results.compare.protocol_differences import experiment_protocol, require_same_protocol
from results.experiment import Experiment
from results.students import diagnosis_columns, knob_columns

HEADS = ("rank", "experiment", "stage", "configuration", "validation %", "test %", "n", "epochs", "parameters")
SHOWN = 30  # configurations


def leaderboard_lines(runs: Sequence[Experiment]) -> pandas.DataFrame:
    """Return the lines of all leaderboards with experiment and configuration.

    Accuracies are fractions.
    """
    parts = []
    for name, run in zip(experiment_names(runs), runs, strict=True):
        part, knobs = run.leaderboard(), knob_columns(run.students)
        texts = [wording.format_configuration(dict(line), knobs) for _, line in part.iterrows()]
        parts.append(part.assign(experiment=name, configuration=texts))
    table = pandas.concat(parts, ignore_index=True)
    first = ["rank", "experiment", "stage", "configuration"]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def experiment_names(runs: Sequence[Experiment]) -> list[str]:
    """Return the names of the spaces, or the folders for equal names."""
    names = [run.space.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def rank_experiments(runs: Sequence[Experiment]) -> pandas.DataFrame:
    """Rank the configurations of all experiments together.

    Baselines and teachers follow unranked. Raises UserError if the protocols differ.
    """
    require_same_protocol(runs)
    table = leaderboard_lines(runs)
    ranked = table["rank"].notna()
    scores = (leaderboard.ranking_scores(run.leaderboard(), knob_columns(run.students), run.metric) for run in runs)
    score = pandas.concat(list(scores), ignore_index=True)
    table["rank"] = score[ranked].rank(method="min").reindex(table.index).astype("Int64")
    table.insert(1, "tied", pandas.Series(_tied_lines(runs), dtype="boolean").reindex(table.index))
    references = table["stage"].isin(["baseline", "teacher"])
    order = table.assign(place=~ranked, score=score.where(ranked, 0))[ranked | references]
    order = order.sort_values(["place", "score"], kind="stable")
    return order.drop(columns=["place", "score"]).reset_index(drop=True)


def _tied_lines(runs: Sequence[Experiment]) -> dict[int, bool]:
    """Mark the lines of `leaderboard_lines` not detectably below the highest test accuracy.

    Baselines of as many students are tested too. Students are not paired by seed: other networks and methods do not
    share its effect. Empty with one seed.
    """
    values: list[float] = []
    cells: list[Hashable] = []
    index = 0
    for run in runs:
        columns = ["stage", *knob_columns(run.students)]
        finished = run.students[run.students["status"] == "finished"]
        lines = run.leaderboard()
        fewest = lines["n"][lines["rank"].notna()].max()
        for _, line in lines.iterrows():
            if not pandas.isna(line["rank"]) or (line["stage"] == "baseline" and line["n"] >= fewest):
                members = leaderboard.matching_students(finished, dict(line[columns]))["test_accuracy"]
                values, cells = [*values, *members], [*cells, *[index] * len(members)]
            index += 1
    means = pandas.Series(values, dtype=float).groupby(cells).mean()
    if len(means) == len(values):
        return {}
    highest = means.idxmax()
    p = contrasts.p_below_best(values, cells, [0] * len(values), highest) | {highest: 1.0}
    return {int(str(cell)): chance >= stats.LEVEL for cell, chance in p.items()}


def joint_markdown(runs: Sequence[Experiment]) -> str:
    """Return the joint leaderboard as Markdown, with the protocol below."""
    table, extra = rank_experiments(runs), extra_columns(runs)
    ranked = table["rank"].notna()
    shown = pandas.concat([table[ranked].head(SHOWN), table[~ranked]])
    heads = [*HEADS, *map(number_columns.number_head, extra)]
    text = markdown.table_lines([heads, *(_joint_cells(line, extra) for _, line in shown.iterrows())])
    return "\n".join([*text, "", *(f"- {note}" for note in _joint_notes(runs, len(table) - len(shown), table["tied"]))])


def extra_columns(runs: Sequence[Experiment]) -> list[str]:
    """Return the columns shown by only some experiments: F1, AUC and diagnoses."""
    diagnoses = dict.fromkeys(name for run in runs for name in diagnosis_columns(run.students))
    return [*number_columns.unequal_class_numbers(runs), *diagnoses]


def _joint_cells(line: pandas.Series, extra: Sequence[str]) -> list[str]:
    mark = "= " if not pandas.isna(line["tied"]) and line["tied"] else ""
    rank = "–" if pandas.isna(line["rank"]) else str(line["rank"])
    return [rank, *configuration_cells(line, extra, mark)]


def configuration_cells(line: pandas.Series, extra: Sequence[str], mark: str = "") -> list[str]:
    """Return the cells from `experiment` to `parameters`, then the extra columns.

    `mark` precedes the test accuracy.
    """
    return [
        line["experiment"],
        line["stage"],
        line["configuration"] or "–",
        wording.format_percent(line["val_accuracy"]),
        mark + wording.format_percent(line["test_accuracy"], line["test_std"]),
        *(f"{int(line[name]):,}" for name in ("n", "epochs", "parameters")),
        *(number_columns.number_text(line, name) for name in extra),
    ]


def _joint_notes(runs: Sequence[Experiment], hidden: int, tied: pandas.Series) -> list[str]:
    protocol = experiment_protocol(runs[0])
    lines = [
        f"Data: {protocol['data']}; split: {protocol['split'].rstrip('.')}.",
        f"Ranked by {protocol['chosen by']}, the mean over n = {protocol['n']} seeds after {protocol['epochs']} "
        "epochs. Test accuracy is shown only. ± is the sample standard deviation over seeds.",
        f"Precision: {protocol['precision']}. Code: {protocol['code']}.",
    ]
    if tied.notna().any():
        lines.append(
            "`=`: the highest test accuracy and those not detectably below it, baselines included (variances shrunk "
            "towards their pool, not paired, one-sided t, Bonferroni-corrected, 5 %)."
        )
    lines += [f"{hidden} more configurations: write them all with --csv FILE."] * (hidden > 0)
    return lines + [f"{run.folder}: the search is not done." for run in runs if run.running]
