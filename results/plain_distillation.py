"""Methods beside plain distillation, in experiments that compare them.

Many methods beat the student alone. The field asks whether they beat Hinton et al. (2015) as well.
"""

from __future__ import annotations

from typing import Any

import pandas

from results.contrasts import differences_from
from results.experiment import Experiment, computed_once
from results.gain import gain_metric, network_knobs
from results.leaderboard import label_tuples, matching_students
from results.stats import Difference
from results.students import knob_columns
from results.ties import seed_blocks
from results.wording import format_configuration

METHOD = "method"  # the knob
PLAIN = "hinton"  # name of plain distillation, or the start of an option's label


@computed_once
def plain_references(experiment: Experiment) -> dict[Any, Any]:
    """Return the line of plain distillation for each other ranked line of the leaderboard.

    It has the same network and epochs, and is the best by validation of its settings. Empty unless methods were
    searched, plain distillation among them.
    """
    lines, knobs = experiment.leaderboard(), knob_columns(experiment.students)
    ranked = lines[lines["rank"].notna()]
    if METHOD not in knobs or not (~_is_plain(ranked)).any():
        return {}
    networks = pandas.Series(label_tuples(ranked, ["epochs", *network_knobs(knobs)]), ranked.index)
    first = {network: place for place, network in reversed(list(networks[_is_plain(ranked)].items()))}
    return {
        place: first[network] for place, network in networks.items() if network in first and place != first[network]
    }


@computed_once
def plain_differences(experiment: Experiment) -> dict[Any, Difference]:
    """Return the difference of each ranked line from plain distillation.

    The intervals hold together for all lines beside one reference; they are missing with one seed.
    """
    lines, columns = experiment.leaderboard(), ["stage", *knob_columns(experiment.students)]
    finished = experiment.students[experiment.students["status"] == "finished"]
    references, metric = plain_references(experiment), gain_metric(experiment)
    differences: dict[Any, Difference] = {}
    for reference in dict.fromkeys(references.values()):
        places = [reference, *(place for place, other in references.items() if other == reference)]
        groups = {place: matching_students(finished, dict(lines.loc[place, columns])) for place in places}
        students = pandas.concat(groups.values())
        cells = [place for place, group in groups.items() for _ in range(len(group))]
        differences |= differences_from(reference, list(students[metric]), cells, seed_blocks(students))
    return differences


def plain_sentence(experiment: Experiment) -> str:
    """Return which methods are better and worse than plain distillation, empty without an interval."""
    lines, knobs, differences = (
        experiment.leaderboard(),
        knob_columns(experiment.students),
        plain_differences(experiment),
    )
    if not differences:
        return ""
    references = {plain_references(experiment)[place] for place in differences}
    configuration = format_configuration(dict(lines.loc[references.pop()]), knobs) if len(references) == 1 else PLAIN
    methods = lines.loc[list(differences), METHOD]
    names = (
        methods
        if methods.is_unique
        else lines.loc[list(differences)].apply(lambda line: format_configuration(dict(line), knobs), axis=1)
    )
    better = [names[place] for place, difference in differences.items() if difference.low > 0]
    worse = [names[place] for place, difference in differences.items() if difference.high < 0]
    parts = [
        f"{len(chosen)} {word} ({'; '.join(map(str, chosen))})" if chosen else f"none {word}"
        for chosen, word in ((better, "better"), (worse, "worse"))
    ]
    unclear = len(differences) - len(better) - len(worse)
    return (
        f"Beside plain distillation ({configuration}), of {len(differences)} others: {', '.join(parts)}, and {unclear} "
        "without a difference shown."
    )


def _is_plain(lines: pandas.DataFrame) -> pandas.Series:
    labels = lines[METHOD].astype(str)
    return (labels == PLAIN) | labels.str.startswith(f"{PLAIN} ")
