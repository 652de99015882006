"""The tables of a benchmark as Markdown: `python -m benchmarks.table runs/bench/results.json`.

With `--summary`, the sentence of the README.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.goals import goal_rows
from benchmarks.measurements import (
    ALL,
    MB,
    PEERS,
    TEST_IMAGES,
    TRAIN_IMAGES,
    Results,
    comparable_peers,
    compared_names,
    inner_overhead,
    loop_accuracies,
    peer_results,
    peer_seconds,
    ratio_text,
    search_results,
    search_seconds,
)

COMPARISON_HEADS = (
    "one student-epoch",
    *(f"{peer}, s" for peer in PEERS),
    "this project, s",
    *(f"speed-up over {peer}" for peer in PEERS),
    "students of one epoch per hour",
    "test %",
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


def summary(results: Results) -> str:
    """Return one sentence on the time of a student-epoch beside PEERS, as an item of a Markdown list."""
    own, peers = search_seconds(search_results(results, ALL)), zip(PEERS, peer_seconds(results, ALL), strict=True)
    others = ", ".join(f"{peer} {seconds:.1f} s" for peer, seconds in peers)
    own_time = f"one student-epoch ({TRAIN_IMAGES:,} images) takes {own:.1f} s"
    return f"- **Fast**: {own_time}; {others} ([benchmarks](benchmarks/README.md))."


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
        search, seconds = search_results(results, size), peer_seconds(results, size)
        own, comparable = search_seconds(search), zip(seconds, comparable_peers(results, size), strict=True)
        groups = [*map(loop_accuracies, peer_results(results, size)), search["accuracies"]]
        yield (
            size,
            *(f"{value:.2f}" for value in (*seconds, own)),
            *(ratio_text(value / own) if same else "void: accuracies differ" for value, same in comparable),
            " / ".join(f"{3600 / value:,.0f}" for value in (*seconds, own)),
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
    file, *options = sys.argv[1:]
    print((summary if options == ["--summary"] else benchmark_markdown)(json.loads(Path(file).read_text())))
