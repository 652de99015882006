"""Markdown pages of the leaderboard and the table, each under its protocol."""

from __future__ import annotations

import re

from results import wording
from results.compared_leaderboard import compared_leaderboard
from results.experiment import Experiment
from results.findings import TESTS_TITLE, grid_text, missing_table_note
from results.grids import Grid
from results.knob_interactions import interaction_findings, interaction_tests
from results.number_columns import comparison_notes, metric_notes, shown_numbers
from results.protocol import deviation_note, protocol_lines
from results.students import knob_columns
from results.text_tables import FRONT_MARK, grid_texts, leaderboard_texts, top_lines
from results.verdict import Verdict, experiment_verdict

SHOWN_CONFIGURATIONS = 30
ESCAPED_BAR = r"\|"


def leaderboard_page(experiment: Experiment) -> str:
    """Return leaderboard.md: the best configurations, the baseline and the teacher."""
    lines, numbers = compared_leaderboard(experiment), shown_numbers(experiment)
    shown = top_lines(lines, SHOWN_CONFIGURATIONS)
    hidden = len(lines) - len(shown)
    notes = [
        f"Ranked by {experiment.metric} (mean over seeds). Only configurations of the same stage and n are "
        "ranked against each other. " + deviation_note(experiment.students),
        "n counts finished students; those not counted are in the last column.",
        *metric_notes(experiment, numbers),
    ]
    if "front" in lines:
        notes.append(f"{FRONT_MARK}: no ranked configuration beats it in all of {', '.join(experiment.objectives)}.")
    if experiment.space.trains_on_all:
        notes.insert(1, f"Confirmed configurations have the rank of their {experiment.metric} in exploration.")
    notes += comparison_notes(lines)
    notes += [f"{hidden} more in leaderboard.csv."] * (hidden > 0)
    notes += filter(None, [missing_table_note(experiment)])
    title, verdict = f"{experiment.space.name}: leaderboard", experiment_verdict(experiment)
    notes = interaction_findings(experiment) + notes
    below = _bullets(notes) + _folded(TESTS_TITLE, verdict.tests + interaction_tests(experiment))
    return _page(title, verdict, protocol_lines(experiment), leaderboard_texts(shown, numbers), below)


def grid_page(experiment: Experiment, grid: Grid) -> str:
    """Return table.md: test accuracy per cell, findings, and tests."""
    knobs, text = knob_columns(experiment.students), grid_text(experiment, grid)
    rows, columns = wording.short_name(grid.rows, knobs), wording.short_name(grid.columns, knobs)
    title = f"{experiment.space.name}: test accuracy in % by {rows} and {columns}"
    fixed = ", ".join(f"{name} = {wording.format_label(value)}" for name, value in grid.fixed.items())
    above = protocol_lines(experiment) + [f"Held at the best configuration by validation: {fixed}."] * bool(fixed)
    heads, *lines = grid_texts(grid, rows, columns)
    marked = [
        [name, *(f"**{cell}**" if best else cell for cell, best in zip(cells, marks, strict=True))]
        for (name, *cells), marks in zip(lines, grid.is_best, strict=True)
    ]
    below = _bullets([*text.legend, *text.findings, *interaction_findings(experiment)])
    verdict = experiment_verdict(experiment)
    tests = verdict.tests + text.tests + interaction_tests(experiment)
    return _page(title, verdict, above, [heads, *marked], below + _folded(TESTS_TITLE, tests))


def _page(title: str, verdict: Verdict, above: list[str], table: list[list[str]], below: list[str]) -> str:
    first = [f"# {_escape_html(title)}", "", *verdict_lines(verdict), "Protocol:", "", *_bullets(above)]
    return "\n".join([*first, *table_lines(table), "", *below])


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return a verdict as lines of Markdown: a quotation, then its details."""
    return [f"> {_escape_html(verdict.sentence)}", "", *_bullets(verdict.details)]


def table_lines(table: list[list[str]]) -> list[str]:
    """Return a table, its heads first, as lines of Markdown."""
    head, *rest = (f"| {' | '.join(_escape_html(cell).replace('|', ESCAPED_BAR) for cell in row)} |" for row in table)
    return [head, "|" + " --- |" * len(table[0]), *rest]


def _bullets(lines: list[str]) -> list[str]:
    return [*(f"- {_escape_html(line)}" for line in lines), ""]


def _folded(title: str, lines: list[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *_bullets(lines), "</details>", ""] if lines else []


def _escape_html(text: str) -> str:
    """Escape HTML tags and join lines: names come from users."""
    return re.sub(r"<(?=[a-zA-Z/!?])", r"\\<", " ".join(text.split("\n")))
