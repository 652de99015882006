"""The report page as one file: the data of every section, the template, styles and scripts that show it, and Plotly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any, NamedTuple

import jinja2

from results import experiment as experiments
from results import markdown, wording
from results.experiment import Experiment
from results.report.heats import Heat, heats
from results.report.importance import Importance, importance
from results.report.leaderboard_table import Board, board
from results.report.learning import Learning, learning
from results.report.parallel import Parallel, parallel
from results.report.sizes import Sizes, sizes
from results.report.spent import Failure, Spent, failures, spent
from results.report.stopping import Stopping, stopping
from results.report.summary import Summary, summary
from results.students import knobs

SCRIPTS = ("figures.js", "table.js", "page.js")
FEW_LINES = 50  # of the leaderboard shown at once: one reads no more, and a browser lays them out in no time


class Report(NamedTuple):
    """Everything the page shows; sections that have nothing to show are None or empty."""

    summary: Summary
    board: Board
    notes: list[str]
    heats: list[Heat]
    learning: Learning
    sizes: list[Sizes]
    parallel: Parallel | None
    importance: Importance | None
    stopping: Stopping | None
    spent: Spent
    failures: list[Failure]


def report(experiment: Experiment) -> Report:
    """The data of the page."""
    lines, names = experiments.leaderboard(experiment), knobs(experiment.students)
    return Report(
        summary=summary(experiment, lines),
        board=board(lines, experiment.students, markdown.numbers(experiment)),
        notes=markdown.uneven(experiment),
        heats=heats(experiment),
        learning=learning(experiment, lines),
        sizes=sizes(lines, names),
        parallel=parallel(experiment),
        importance=importance(experiment),
        stopping=stopping(experiment),
        spent=spent(experiment),
        failures=failures(experiment),
    )


def page(experiment: Experiment, written: datetime | None = None) -> str:
    """The page as HTML; `written` is the time it states, now where it is not given."""
    made, when = report(experiment), written or datetime.now(UTC)
    here = resources.files("results.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = wording.duration
    return environment.from_string((here / "page.html").read_text("utf-8")).render(
        report=made,
        few_lines=FEW_LINES,
        written=when.strftime("%Y-%m-%d %H:%M:%S UTC"),
        styles=(here / "page.css").read_text("utf-8"),
        scripts="\n".join((here / name).read_text("utf-8") for name in SCRIPTS),
        plotly=(resources.files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8"),
        data=embed({name: getattr(made, name) for name in ("heats", "learning", "sizes", "parallel", "importance")}),
    )


def embed(data: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can close the element."""
    text = json.dumps(_plain(data), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Any) -> Any:
    """NamedTuples as mappings, so that the scripts read them by name."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
