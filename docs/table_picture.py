"""`python docs/table_picture.py PAGE.md NAME FILE.png`: draw the table between the marks NAME of a page as a heat map.

`make readme` draws the README's picture so: its numbers are those of the page, of which no run folder is left.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from insert import split_at_marks

from results.figures.drawing import draw_heatmap
from results.figures.heatmaps import Heatmap


def table_heatmap(page: str, name: str) -> Heatmap:
    """Return the heat map of a table of test accuracies, as `python -m results` wrote it with its protocol.

    Raises ValueError if the page has no such marks.
    """
    _, content, _ = split_at_marks(page, name)
    lines = content.splitlines()
    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    data, loss = (_protocol(lines, head) for head in ("Data", "Loss"))
    (training,) = re.findall(r"; ([\d,]+) / [\d,]+ / [\d,]+ images", data)
    (n,) = re.findall(r"n = \d+ in every cell", content)
    texts = [[cell.strip("*") for cell in row[1:]] for row in rows]
    percent: list[list[float | None]] = [[float(text.removeprefix("= ").split()[0]) for text in row] for row in texts]
    return Heatmap(
        metric="test_accuracy",
        name="test accuracy (%)",
        title=f"Test accuracy (%) on {data.split()[0]}, {training} training images\nloss: {loss}",
        rows=heads[0].split(" \\ ")[0],
        columns=heads[0].split(" \\ ")[1],
        row_labels=[row[0] + " (baseline)" * (row[0] == "0") for row in rows],
        column_labels=heads[1:],
        percent=percent,
        texts=texts,
        tips=[],
        best=[(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row[1:]) if cell.startswith("**")],
        hatched=[],
        caption=f"{n}; ±: standard deviation over seeds; outlined: chosen by validation\n"
        "=: the highest mean and the cells not detectably below it (5 %)",
        notes=[],
        tests=[],
    )


def _protocol(lines: list[str], head: str) -> str:
    return next(line.removeprefix(f"- {head}: ") for line in lines if line.startswith(f"- {head}: "))


if __name__ == "__main__":
    page, name, picture = sys.argv[1:]
    Path(picture).write_bytes(draw_heatmap(table_heatmap(Path(page).read_text(encoding="utf-8"), name)))
