"""One leaderboard over several experiments of one protocol."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas

from results import experiment as experiments
from results import leaderboard, markdown, stats, wording
from results.compare import protocol
from results.experiment import Experiment
from results.students import diagnoses, knobs

HEADS = ("rank", "experiment", "stage", "configuration", "validation %", "test %", "n", "epochs", "parameters")
SHOWN = 30  # configurations


def lines(found: Sequence[Experiment]) -> pandas.DataFrame:
    """Every line of every leaderboard, accuracies as fractions, with its experiment and its knobs in words."""
    parts = []
    for name, experiment in zip(names(found), found, strict=True):
        part = experiments.leaderboard(experiment)
        said = [wording.configuration(dict(line), knobs(experiment.students)) for _, line in part.iterrows()]
        parts.append(part.assign(experiment=name, configuration=said))
    table = pandas.concat(parts, ignore_index=True)
    first = ["rank", "experiment", "stage", "configuration"]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def names(found: Sequence[Experiment]) -> list[str]:
    """What to call experiments: as their spaces are called, or by their folders where those share a name."""
    called = [experiment.space.name for experiment in found]
    folders = [str(experiment.folder) for experiment in found]
    return called if len(set(called)) == len(called) else folders


def ranked(found: Sequence[Experiment]) -> pandas.DataFrame:
    """The ranked configurations of all experiments in one order, then baselines and teachers; `tied` as in `tied`.

    Raises UserError where the experiments are not of one protocol.
    """
    protocol.demand(found)
    table = lines(found)
    own = table["rank"].notna()
    score = leaderboard.score(table, found[0].metric)
    table["rank"] = score[own].rank(method="min").reindex(table.index).astype("Int64")
    table.insert(1, "tied", pandas.Series(_tied(found), dtype="boolean").reindex(table.index))
    beside = table["stage"].isin(["baseline", "teacher"])
    order = table.assign(place=~own, score=score.where(own, 0))[own | beside]
    order = order.sort_values(["place", "score"], kind="stable")
    return order.drop(columns=["place", "score"]).reset_index(drop=True)


def _tied(found: Sequence[Experiment]) -> dict[int, bool]:
    """By line of `lines`: whether it has the highest test accuracy, or one that luck alone may put below it.

    Students are not paired: other networks and other methods do not share what a seed gives. Empty with one seed.
    """
    values: list[float] = []
    cells: list[Hashable] = []
    line = 0
    for experiment in found:
        by = ["stage", *knobs(experiment.students)]
        done = experiment.students[experiment.students["status"] == "finished"]
        for _, each in experiments.leaderboard(experiment).iterrows():
            if not pandas.isna(each["rank"]):
                members = leaderboard.matching(done, dict(each[by]))["test_accuracy"]
                values, cells = [*values, *members], [*cells, *[line] * len(members)]
            line += 1
    means = pandas.Series(values, dtype=float).groupby(cells).mean()
    if len(means) == len(values):
        return {}
    highest = means.idxmax()
    p = stats.worse(values, cells, [0] * len(values), highest) | {highest: 1.0}
    return {int(str(cell)): chance >= stats.LEVEL for cell, chance in p.items()}


def page(found: Sequence[Experiment]) -> str:
    """The leaderboard as Markdown for a paper, under it what its numbers stand on."""
    table = ranked(found)
    others = beside(found)
    own = table["rank"].notna()
    shown = pandas.concat([table[own].head(SHOWN), table[~own]])
    heads = [*HEADS, *map(markdown.head, others)]
    text = markdown.lines([heads, *(_texts(line, others) for _, line in shown.iterrows())])
    return "\n".join([*text, "", *(f"- {note}" for note in _notes(found, len(table) - len(shown), table["tied"]))])


def beside(found: Sequence[Experiment]) -> list[str]:
    """The numbers that only some experiments show: F1 and AUC, and what some networks were measured by."""
    measured = dict.fromkeys(name for each in found for name in diagnoses(each.students))
    return [*markdown.beside_accuracy(found), *measured]


def _texts(line: pandas.Series, others: Sequence[str]) -> list[str]:
    mark = "= " if not pandas.isna(line["tied"]) and line["tied"] else ""
    return [
        "–" if pandas.isna(line["rank"]) else str(line["rank"]),
        *configuration(line),
        wording.percent(line["val_accuracy"]),
        mark + wording.percent(line["test_accuracy"], line["test_std"]),
        *(f"{int(line[name]):,}" for name in ("n", "epochs", "parameters")),
        *(markdown.text(line, name) for name in others),
    ]


def configuration(line: pandas.Series) -> list[str]:
    """Experiment, stage and configuration of a line."""
    return [line["experiment"], line["stage"], line["configuration"] or "–"]


def _notes(found: Sequence[Experiment], more: int, tied: pandas.Series) -> list[str]:
    known = protocol.protocol(found[0])
    lines = [
        f"Data: {known['data']}; split: {known['split'].rstrip('.')}.",
        f"Ranked by {known['chosen by']}, the mean over n = {known['n']} seeds after {known['epochs']} epochs; test "
        "images are only shown. ± is the sample standard deviation over seeds.",
        f"Precision: {known['precision']}. Code: {known['code']}.",
    ]
    if tied.notna().any():
        lines.append(
            "`=`: the highest test accuracy and those not detectably below it (noise pooled over all ranked "
            "configurations, not paired, one-sided t, Bonferroni-corrected, 5 %)."
        )
    lines += [f"{more} more configurations: --csv FILE has them all."] * (more > 0)
    return lines + [f"{each.folder}: the search is not done." for each in found if each.running]
