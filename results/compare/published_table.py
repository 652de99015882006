"""`python -m results.compare.published_table RUN FILE.csv`: a table beside the one that somebody published, as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas

from results import experiment as experiments
from results import markdown, wording
from spaces.errors import UserError
from spaces.label import text


def beside(folder: str, published: Path) -> str:
    """The cells of a run's table, each with the published number after a bar; both in percent of the test images.

    The file holds the labels of the columns in its first line and those of the rows in its first column; lines before
    that start with # and say where the numbers are from. Raises UserError where a cell has no counterpart.
    """
    grid = experiments.table(experiments.load(folder))
    if grid is None:
        raise UserError(f"{folder}: has no table to compare; its space names none, or no student is finished")
    theirs = pandas.read_csv(published, comment="#", index_col=0)
    theirs.index, theirs.columns = theirs.index.map(text), theirs.columns.map(text)
    numbers = theirs.to_dict("index")
    lines = [[f"{grid.rows} \\ {grid.columns}", *map(wording.label, grid.column_labels)]]
    for row, means, deviations in zip(grid.row_labels, grid.mean, grid.std, strict=True):
        cells = [wording.percent(mean, std) for mean, std in zip(means, deviations, strict=True)]
        try:
            others = [numbers[text(row)][text(column)] for column in grid.column_labels]
        except KeyError as error:
            raise UserError(f"{published}: has no cell for {error.args[0]}; expected the labels of {folder}") from None
        lines.append(
            [wording.label(row), *(f"{ours} \\| {other:.2f}" for ours, other in zip(cells, others, strict=True))]
        )
    return "\n".join(markdown.lines(lines))


def main(arguments: list[str] | None = None) -> int:
    """Prints the two tables in one; exit code 2 where they do not fit."""
    parser = argparse.ArgumentParser(prog="python -m results.compare.published_table", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="an experiment folder with a table")
    parser.add_argument("published", metavar="FILE.csv", type=Path, help="such as docs/published/ece1512_001_run_b.csv")
    given = parser.parse_args(arguments)
    try:
        print(beside(given.run, given.published))
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
