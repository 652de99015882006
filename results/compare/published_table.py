"""`python -m results.compare.published_table RUN FILE.csv`: a table beside a published one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

from results import markdown, wording
from results.experiment import load_experiment
from spaces.errors import UserError, exits_on_user_error
from spaces.label import label_text


def compare_with_published(folder: str, published: Path) -> str:
    """Return the table of a run, each cell `measured | published`.

    Both are test accuracies in percent. The file starts with comment lines (#) naming the source; then follow a line of
    column labels and the rows, each with its label first. Raises UserError if the file lacks a cell.
    """
    grid = load_experiment(folder).grid()
    if grid is None:
        raise UserError(f"{folder}: no table to compare; its space defines none, or no student has finished")
    try:
        paper = pandas.read_csv(published, comment="#", index_col=0)
    except OSError as error:
        raise UserError(str(error)) from None
    paper.index, paper.columns = paper.index.map(label_text), paper.columns.map(label_text)
    numbers = paper.to_dict("index")
    lines = [[f"{grid.rows} \\ {grid.columns}", *map(wording.format_label, grid.column_labels)]]
    for row, texts in zip(grid.row_labels, wording.format_cells(grid), strict=True):
        cells = [text.removeprefix("= ") for text in texts]
        try:
            references = [numbers[label_text(row)][label_text(column)] for column in grid.column_labels]
        except KeyError as error:
            raise UserError(f"{published}: no cell for {error.args[0]}; use the labels of {folder}") from None
        pairs = zip(cells, references, strict=True)
        lines.append([wording.format_label(row), *(f"{cell} | {reference:.2f}" for cell, reference in pairs)])
    return "\n".join(markdown.table_lines(lines))


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables as one; exit code 2 on a user error."""
    parser = argparse.ArgumentParser(prog="python -m results.compare.published_table", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="an experiment folder with a table")
    parser.add_argument("published", metavar="FILE.csv", type=Path, help="such as docs/published/ece1512_001_run_b.csv")
    options = parser.parse_args(arguments)
    print(compare_with_published(options.run, options.published))
    return 0


if __name__ == "__main__":
    sys.exit(main())
