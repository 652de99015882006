"""What several experiments found: ranked in one table where they have one protocol, otherwise side by side."""

from __future__ import annotations

from collections.abc import Sequence

from results import experiment as experiments
from results import markdown, records
from results.compare import ranked, sides
from results.records import Folder

__all__ = ["compare"]


def compare(folders: Sequence[Folder], *, best: bool = False, every: bool = False, csv: Folder | None = None) -> str:
    """One leaderboard over the experiments as Markdown; with `best` or `every` they stand side by side, not ranked.

    `csv` is a file for the same lines as numbers. Raises UserError for a folder without an experiment, and where
    experiments that are to be ranked have different protocols.
    """
    found = [experiments.load(folder) for folder in folders]
    aside = best or every
    text = "\n".join(markdown.lines(sides.best(found) if best else sides.every(found))) if aside else ranked.page(found)
    if csv:
        lines = ranked.lines(found).drop(columns="rank") if aside else ranked.ranked(found)
        records.replace(csv, lines.to_csv(index=False))
    return text
