"""Comparison of several experiments, ranked together or side by side."""

from __future__ import annotations

from collections.abc import Sequence

from results import markdown, records
from results.compare.joint_leaderboard import joint_markdown, leaderboard_lines, rank_experiments
from results.compare.side_by_side import best_lines, configuration_lines
from results.experiment import load_experiment
from results.paths import Folder

__all__ = ["compare"]


def compare(folders: Sequence[Folder], *, best: bool = False, every: bool = False, csv: Folder | None = None) -> str:
    """Return a comparison of experiments as Markdown.

    By default all configurations are ranked in one leaderboard, which requires the same protocol. `best` shows one
    line per experiment, `every` one line per configuration, both unranked. `csv` is a file for all configurations as
    numbers. Raises UserError if a folder holds no experiment or the protocols differ.
    """
    runs = [load_experiment(folder) for folder in folders]
    if not (best or every):
        text, table = joint_markdown(runs), rank_experiments(runs)
    else:
        lines = best_lines(runs) if best else configuration_lines(runs)
        text, table = "\n".join(markdown.table_lines(lines)), leaderboard_lines(runs).drop(columns="rank")
    if csv:
        records.write_file(csv, table.to_csv(index=False))
    return text
