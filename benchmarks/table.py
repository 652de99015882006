"""The tables of a benchmark, from what was measured."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

PRODUCTS = 2 * 256 * (5 * 784 * 784 + 3 * 784 * 10)  # operations of a step: the first layer's inputs need no gradient
STEPS = 55000 // 256
TESTS = {"60,000 images": 10000, "5,000 images": 1500}  # images of the smaller of the two test sets
MB = 2**20


def markdown(results: dict[str, Any]) -> str:
    """All tables, below a line that says when and on what they were measured."""
    head = (
        f"{results['date']}, {results['device']}, {results['cores']} cores; students train in {results['precision']}."
    )
    sections = (head, _table(_side_by_side(results)), _table(_growth(results)), _table(_goals(results)))
    return "\n\n".join(sections)


def _table(rows: Iterator[Sequence[object]]) -> str:
    head, *body = ([str(cell) for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def _side_by_side(results: dict[str, Any]) -> Iterator[Sequence[object]]:
    """The same students by three ways: seconds of training per student-epoch, two at once counted as half each."""
    yield (
        *("one student-epoch", "notebook loop s", "plain Ray s", "ours s", "ours: times the notebook", "times Ray"),
        "students per hour of an epoch: notebook / Ray / ours",
        "test % notebook / Ray / ours",
    )
    for size, tests in TESTS.items():
        if any(name not in results for name in _names(size)):
            yield size, *["not measured"] * 7
            continue
        loop, ray, ours = _three(results, size)
        seconds = [_notebook(loop), _ray(ray), _ours(ours)]
        hours = " / ".join(f"{3600 / each:,.0f}" for each in seconds)
        found = [_accuracies(loop), _accuracies(ray), ours["accuracies"]]
        shown = " / ".join(f"{100 * mean(each):.2f} (n={len(each)})" for each in found)
        equal = all(same(each, found[2], tests) for each in found[:2])
        times = [f"{each / seconds[2]:.1f}" if equal else "void: accuracies differ" for each in seconds[:2]]
        yield (size, *(f"{each:.2f}" for each in seconds), *times, hours, shown)


def _three(results: dict[str, Any], size: str) -> tuple[Any, Any, Any]:
    loop, ray, ours = (results[name] for name in _names(size))
    return loop, ray, ours


def _names(size: str) -> tuple[str, str, str]:
    return f"notebook, {size}", f"plain Ray, {size}", f"{size}, 2 workers"


def _accuracies(found: dict[str, Any]) -> list[float]:
    return [each["accuracy"] for each in found["students"]]


def _notebook(found: dict[str, Any]) -> float:
    return mean(each["seconds"] for each in found["students"])


def _ray(found: dict[str, Any]) -> float:
    return _notebook(found) / 2  # two train at once


def _ours(found: dict[str, Any]) -> float:
    return mean(found["training"]) / 2


def same(one: Sequence[float], other: Sequence[float], tests: int) -> bool:
    """Whether the mean accuracies of two groups are within noise: three standard errors, of students and of images."""
    pooled = max((stdev(each) for each in (one, other) if len(each) > 1), default=0.0)
    p = mean([*one, *other])
    error = math.sqrt(pooled**2 * (1 / len(one) + 1 / len(other)) + p * (1 - p) / tests)
    return abs(mean(one) - mean(other)) <= 3 * error


def _growth(results: dict[str, Any]) -> Iterator[Sequence[object]]:
    """What the command takes as a search grows."""
    yield (
        *("search", "students", "wall s", "said beforehand s", "wall s per student", "share not trained %"),
        *("s per student, start and end aside", "worker over bare imports MB", "driver's growth MB"),
    )
    for name, found in results.items():
        if isinstance(found, dict) and "share" in found:
            wall, students = found["wall"], found["students"]
            extra = found["worker"] - results["bare"] / MB
            yield (
                *(name, students, f"{wall:.0f}", f"{found['estimate']:.0f}", f"{wall / students:.2f}"),
                *(f"{100 * found['share']:.0f}", f"{found['each']:.3f}", f"{extra:.0f}", f"{found['growth']:.0f}"),
            )


def fraction(found: dict[str, Any], rate: float) -> float:
    """The part of a matrix-product rate that one worker reached over whole epochs on all images."""
    return PRODUCTS * STEPS / mean(found["training"]) / rate


def _goals(results: dict[str, Any]) -> Iterator[Sequence[object]]:
    """Each goal of the two-core table, beside what was measured."""
    yield "goal", "wanted", "measured", "reached"
    for name, wanted, needed, measure in GOALS:
        if any(each not in results for each in needed):
            yield name, wanted, "not measured", "–"
        else:
            shown, reached = measure(results)
            yield name, wanted, shown, "yes" if reached else "no"


def _against_notebook(results: dict[str, Any]) -> tuple[str, bool]:
    loop, _, ours = _three(results, ALL)
    return _times(_notebook(loop) / _ours(ours), 20)


def _by_the_wall(results: dict[str, Any]) -> tuple[str, bool]:
    loop, _, ours = _three(results, ALL)
    return _times(_notebook(loop) * ours["students"] / ours["wall"], 14)


def _against_ray(results: dict[str, Any]) -> tuple[str, bool]:
    _, ray, ours = _three(results, ALL)
    return _times(_ray(ray) / _ours(ours), 15)


def _of_the_rate(results: dict[str, Any]) -> tuple[str, bool]:
    precision = results["precision"]
    part = fraction(results[LARGE], results["rates"][precision])
    return f"{100 * part:.0f} % of {precision}'s", part >= 0.45 and precision == "bfloat16"


def _not_trained(results: dict[str, Any]) -> tuple[str, bool]:
    share = results["60 students of seconds"]["share"]
    return f"{100 * share:.0f} %", share <= 0.1


def _passes(results: dict[str, Any]) -> tuple[str, bool]:
    few, many = results["passes"]["2"], results["passes"]["8"]
    return f"{few:.2f} and {many:.2f}", few == many == 1


def _memory(results: dict[str, Any]) -> tuple[str, bool]:
    extra = results[LARGE]["worker"] - results["bare"] / MB
    return f"{extra:.0f} MB", extra <= 300


def _trivial(results: dict[str, Any]) -> tuple[str, bool]:
    each = results["1,000 trivial students"]["each"]
    return f"{each:.3f} s", each <= 0.1


def _driver(results: dict[str, Any]) -> tuple[str, bool]:
    growth = results["1,000 trivial students"]["growth"]
    return f"{growth:.0f} MB", growth <= 100


def _teaching(results: dict[str, Any]) -> tuple[str, bool]:
    return _times(results[f"notebook, {ALL}"]["teacher"]["seconds"] / results["teacher"]["seconds"], 3)


def _assignment(results: dict[str, Any]) -> tuple[str, bool]:
    students, wall = results["assignment"]["students"], results["assignment"]["wall"]
    return f"{wall / 60:.0f} min ({students} students)", wall <= 15 * 60


def _times(found: float, wanted: float) -> tuple[str, bool]:
    return f"{found:.1f}×", found >= wanted


ALL = "60,000 images"
LARGE = f"{ALL}, 2 workers"
# What is wanted of two cores, the parts of a benchmark that it takes, and how it is drawn from them.
GOALS: list[tuple[str, str, tuple[str, ...], Callable[[dict[str, Any]], tuple[str, bool]]]] = [
    ("training seconds per student-epoch, against the notebook loop", "≥ 20×", _names(ALL), _against_notebook),
    ("the same by the wall of a command of 10 student-epochs", "≥ 14×", _names(ALL), _by_the_wall),
    ("training seconds per student-epoch, against plain Ray Tune", "≥ 15×", _names(ALL), _against_ray),
    ("part of the measured matrix-product rate", "≥ 45 % of bfloat16's", (LARGE, "rates"), _of_the_rate),
    ("share not trained, 60 students of some 2 s", "≤ 10 %", ("60 students of seconds",), _not_trained),
    ("teacher passes per image, for 2 and for 8 students", "1", ("passes",), _passes),
    ("private memory of a worker over the bare imports", "≤ 300 MB", (LARGE, "bare"), _memory),
    ("seconds per trivial student, 1,000 of them", "≤ 0.1 s", ("1,000 trivial students",), _trivial),
    ("growth of the driver meanwhile", "≤ 100 MB", ("1,000 trivial students",), _driver),
    (
        "teaching the CNN, seconds per epoch, against the notebook loop",
        "≥ 3×",
        (f"notebook, {ALL}", "teacher"),
        _teaching,
    ),
    ("the assignment's table, one seed, 12 epochs, teacher included", "≤ 15 min", ("assignment",), _assignment),
]


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
