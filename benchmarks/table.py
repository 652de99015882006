"""The tables of a benchmark as Markdown: `python -m benchmarks.table runs/bench/results.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.goals import goal_rows
from benchmarks.measurements import (
    MB,
    TEST_IMAGES,
    Results,
    compared_accuracies,
    compared_names,
    compared_results,
    inner_overhead,
    loop_accuracies,
    notebook_seconds,
    ratio_text,
    ray_seconds,
    search_seconds,
)

COMPARISON_HEADS = (
    "one student-epoch",
    "notebook loop, s",
    "plain Ray Tune, s",
    "this project, s",
    "speed-up over notebook",
    "speed-up over Ray Tune",
    "students of one epoch per hour: notebook / Ray Tune / this project",
    "test %: notebook / Ray Tune / this project",
)
SEARCH_HEADS = (
    "search",
    "students",
    "wall, s",
    "wall after estimate, s",
    "estimate, s",
    "wall per student, s",
    "overhead %",
    "per student without start-up, s",
    "overhead without start-up %",
    "worker memory above imports, MB",
    "driver growth during training, MB",
    "driver peak, MB",
)


def benchmark_markdown(results: Results) -> str:
    """Return all tables, with date and machine first."""
    head = (
        f"{results['date']}, {results['device']}, {results['cores']} cores; students train in {results['precision']}."
    )
    tables = (_comparison_rows(results), _search_rows(results), goal_rows(results))
    return "\n\n".join([head, *map(_markdown_table, tables)])


def _markdown_table(rows: Iterator[Sequence[object]]) -> str:
    heads, *body = ([str(cell) for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *body))


def _comparison_rows(results: Results) -> Iterator[Sequence[object]]:
    """Yield the same students trained in three ways; of two at once, each counts half the time."""
    yield COMPARISON_HEADS
    for size in TEST_IMAGES:
        if any(name not in results for name in compared_names(size)):
            yield size, *["not measured"] * (len(COMPARISON_HEADS) - 1)
            continue
        notebook, ray, search = compared_results(results, size)
        seconds = [notebook_seconds(notebook), ray_seconds(ray), search_seconds(search)]
        groups = [loop_accuracies(notebook), loop_accuracies(ray), search["accuracies"]]
        comparable = zip(seconds[:2], compared_accuracies(results, size), strict=True)
        yield (
            size,
            *(f"{value:.2f}" for value in seconds),
            *(ratio_text(value / seconds[2]) if same else "void: accuracies differ" for value, same in comparable),
            " / ".join(f"{3600 / value:,.0f}" for value in seconds),
            " / ".join(f"{100 * mean(group):.2f} (n={len(group)})" for group in groups),
        )


def _search_rows(results: Results) -> Iterator[Sequence[object]]:
    """Yield one row per search: time, overhead and memory."""
    yield SEARCH_HEADS
    for name, search in results.items():
        if isinstance(search, dict) and "overhead" in search:
            growth = search["driver_growth_mb"]
            yield (
                name,
                search["students"],
                f"{search['wall']:.0f}",
                f"{search['wall_after_estimate']:.0f}",
                f"{search['estimate']:.0f}",
                f"{search['wall'] / search['students']:.2f}",
                f"{100 * search['overhead']:.0f}",
                f"{search['seconds_per_student']:.3f}",
                f"{100 * inner_overhead(search):.0f}",
                f"{search['worker_mb'] - results['bare'] / MB:.0f}",
                "–" if growth is None else f"{growth:.0f}",
                f"{search['driver_peak_mb']:.0f}",
            )


if __name__ == "__main__":
    print(benchmark_markdown(json.loads(Path(sys.argv[1]).read_text())))
