"""Comparison of several experiments, ranked together or side by side."""

from __future__ import annotations

from collections.abc import Sequence

from results import markdown, records
from results.compare.joint_leaderboard import joint_markdown, leaderboard_lines, rank_experiments
from results.compare.side_by_side import best_lines, configuration_lines, gain_lines
from results.experiment import load_experiment
from results.paths import Folder

__all__ = ["compare"]


LAYOUTS = {"best": best_lines, "every": configuration_lines, "gains": gain_lines}


def compare(folders: Sequence[Folder], layout: str | None = None, csv: Folder | None = None) -> str:
    """Return a comparison of experiments as Markdown.

    Without a layout all configurations are ranked in one leaderboard, which requires the same protocol. `best` shows
    one line per experiment, `every` one line per configuration and `gains` one per ranked configuration, side by side.
    `csv` is a file for all configurations as numbers. Raises UserError if a folder holds no experiment or the protocols
    differ.
    """
    runs = [load_experiment(folder) for folder in folders]
    if layout is None:
        text, table = joint_markdown(runs), rank_experiments(runs)
    else:
        text = "\n".join(markdown.table_lines(LAYOUTS[layout](runs)))
        table = leaderboard_lines(runs).drop(columns="rank")
    if csv:
        records.write_file(csv, table.to_csv(index=False))
    return text
