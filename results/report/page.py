"""The report page as one file: data, template, styles, scripts and Plotly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any, NamedTuple

import jinja2

from results import number_columns
from results.compared_leaderboard import compared_leaderboard
from results.experiment import Experiment
from results.figures.heatmaps import Heatmap, heatmaps
from results.figures.learning_curves import LearningCurves, student_curves
from results.figures.palette import style_variables
from results.knob_interactions import interaction_findings
from results.report.costs import Costs, Failure, experiment_costs, failures
from results.report.early_stopping import EarlyStopping, early_stopping
from results.report.experiment_summary import ExperimentSummary, experiment_summary
from results.report.knob_importance import KnobImportance, knob_importance
from results.report.leaderboard_table import LeaderboardTable, leaderboard_table
from results.report.pareto_fronts import ParetoFigure, pareto_figures
from results.report.student_points import StudentPoints, student_points
from results.students import knob_columns
from results.verdict import Verdict, experiment_verdict
from results.wording import plain_text

SCRIPTS = ("figures.js", "knob_figures.js", "table.js", "copy.js", "page.js")
FIGURES = ("heatmaps", "learning_curves", "pareto", "points", "importance")  # drawn by the scripts
ROWS_SHOWN = 10  # of the leaderboard, until "Show all" is pressed
MAX_BESIDE_COLUMNS = 6  # of a heat map beside the curves


class Report(NamedTuple):
    """Data of the page; sections without data are None or empty."""

    summary: ExperimentSummary
    verdict: Verdict
    leaderboard: LeaderboardTable
    notes: list[str]
    heatmaps: list[Heatmap]
    learning_curves: LearningCurves
    pareto: list[ParetoFigure]
    points: StudentPoints | None
    importance: KnobImportance | None
    early_stopping: EarlyStopping | None
    costs: Costs
    failures: list[Failure]


def report_data(experiment: Experiment) -> Report:
    """Return the data of the page."""
    lines, knobs = compared_leaderboard(experiment), knob_columns(experiment.students)
    return Report(
        summary=experiment_summary(experiment, lines),
        verdict=experiment_verdict(experiment),
        leaderboard=leaderboard_table(lines, experiment.students, number_columns.shown_numbers(experiment)),
        notes=interaction_findings(experiment)
        + number_columns.comparison_notes(lines)
        + number_columns.metric_notes(experiment, number_columns.shown_numbers(experiment)),
        heatmaps=heatmaps(experiment),
        learning_curves=student_curves(experiment, lines),
        pareto=pareto_figures(lines, knobs, experiment.objectives),
        points=student_points(experiment),
        importance=knob_importance(experiment),
        early_stopping=early_stopping(experiment),
        costs=experiment_costs(experiment),
        failures=failures(experiment),
    )


def lead_figure(report: Report) -> str:
    """Return the figure beside the curves: heat map, front or history.

    Empty if there is none, or if the heat map is too wide.
    """
    if report.heatmaps:
        return "heatmap" if len(report.heatmaps[0].column_labels) <= MAX_BESIDE_COLUMNS else ""
    return "pareto" if report.pareto else "history" if report.points else ""


def report_page(experiment: Experiment, written: datetime | None = None) -> str:
    """Return the page as HTML, dated `written` or now."""
    data, time = report_data(experiment), written or datetime.now(UTC)
    folder = resources.files("results.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain_text
    return environment.from_string((folder / "page.html").read_text("utf-8")).render(
        report=data,
        rows_shown=ROWS_SHOWN,
        written=time.strftime("%Y-%m-%d %H:%M:%S UTC"),
        lead=lead_figure(data),
        has_contour=data.points is not None and len(data.points.axes) > (2 if data.heatmaps else 1),
        styles=style_variables() + (folder / "page.css").read_text("utf-8"),
        scripts="\n".join((folder / name).read_text("utf-8") for name in SCRIPTS),
        plotly=(resources.files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8"),
        data=embedded_json({name: getattr(data, name) for name in FIGURES}),
    )


def embedded_json(data: Any) -> str:
    """Return JSON without the characters to close a script element."""
    text = json.dumps(_json_value(data), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _json_value(value: Any) -> Any:
    """Turn NamedTuples into dicts; the scripts read fields by name."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _json_value(item) for name, item in value.items()}
    return [_json_value(item) for item in value] if isinstance(value, list | tuple) else value
