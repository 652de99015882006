"""The tables of a benchmark, from what was measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from benchmarks import goals
from benchmarks.found import MB, TESTS, Results, accuracies, between, equal, names, notebook, ours, ray, three, times


def markdown(results: Results) -> str:
    """All tables, below a line that says when and on what they were measured."""
    head = (
        f"{results['date']}, {results['device']}, {results['cores']} cores; students train in {results['precision']}."
    )
    sections = (head, _table(_side_by_side(results)), _table(_growth(results)), _table(goals.lines(results)))
    return "\n\n".join(sections)


def _table(rows: Iterator[Sequence[object]]) -> str:
    head, *body = ([str(cell) for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def _side_by_side(results: Results) -> Iterator[Sequence[object]]:
    """The same students by three ways: seconds of training per student-epoch, two at once counted as half each."""
    yield (
        *("one student-epoch", "notebook loop s", "plain Ray s", "ours s", "ours: times the notebook", "times Ray"),
        "students per hour of an epoch: notebook / Ray / ours",
        "test % notebook / Ray / ours",
    )
    for size in TESTS:
        if any(name not in results for name in names(size)):
            yield size, *["not measured"] * 7
            continue
        loop, plain, search = three(results, size)
        seconds = [notebook(loop), ray(plain), ours(search)]
        hours = " / ".join(f"{3600 / each:,.0f}" for each in seconds)
        found = [accuracies(loop), accuracies(plain), search["accuracies"]]
        shown = " / ".join(f"{100 * mean(each):.2f} (n={len(each)})" for each in found)
        judged = zip(seconds, equal(results, size), strict=False)  # ours is not compared to itself
        ratios = [times(each / seconds[2]) if fair else "void: accuracies differ" for each, fair in judged]
        yield (size, *(f"{each:.2f}" for each in seconds), *ratios, hours, shown)


def _growth(results: Results) -> Iterator[Sequence[object]]:
    """What the command takes as a search grows."""
    yield (
        *(
            "search",
            "students",
            "wall s",
            "of it after the estimate",
            "the estimate",
            "wall s per student",
            "share not trained %",
        ),
        *("s per student, start and end aside", "share not trained, start and end aside %"),
        *("worker over bare imports MB", "driver's growth while they train MB", "driver's peak MB"),
    )
    for name, found in results.items():
        if isinstance(found, dict) and "share" in found:
            wall, students = found["wall"], found["students"]
            extra = found["worker"] - results["bare"] / MB
            yield (
                *(
                    name,
                    students,
                    f"{wall:.0f}",
                    f"{found['after']:.0f}",
                    f"{found['estimate']:.0f}",
                    f"{wall / students:.2f}",
                ),
                *(f"{100 * found['share']:.0f}", f"{found['each']:.3f}", f"{100 * between(found):.0f}"),
                *(f"{extra:.0f}", _rounded(found["growth"]), f"{found['peak']:.0f}"),
            )


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
