"""What is wanted of two cores, what was measured, and where that falls short, what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.found import (
    ALL,
    EPOCH,
    LARGE,
    LESSON,
    MB,
    Results,
    between,
    equal,
    fraction,
    names,
    notebook,
    ours,
    ray,
    speed,
    three,
    times,
)

MINUTE, TAUGHT = 60, 12  # seconds; epochs of the assignment's teacher
SECONDS, TRIVIAL = "60 students of seconds", "1,000 trivial students"


class Goal(NamedTuple):
    """One line: the parts of a benchmark that it needs, how they are shown and judged, and why they may fall short."""

    name: str
    wanted: str
    needed: tuple[str, ...]
    measure: Callable[[Results], tuple[str, bool]]
    why: Callable[[Results], str]


def lines(results: Results) -> Iterator[Sequence[object]]:
    """The table's rows, its head first."""
    yield "goal", "wanted", "measured", "reached", "why not"
    for goal in GOALS:
        if any(each not in results for each in goal.needed):
            yield goal.name, goal.wanted, "not measured", "–", "–"
        else:
            shown, reached = goal.measure(results)
            yield goal.name, goal.wanted, shown, "yes" if reached else "no", "–" if reached else goal.why(results)


def _against_notebook(results: Results) -> tuple[str, bool]:
    loop, _, search = three(results, ALL)
    return _times(notebook(loop) / ours(search), 20, equal(results, ALL)[0])


def _against_ray(results: Results) -> tuple[str, bool]:
    _, loop, search = three(results, ALL)
    return _times(ray(loop) / ours(search), 15, equal(results, ALL)[1])


def _by_the_wall(results: Results) -> tuple[str, bool]:
    loop, table = results[f"notebook, {ALL}"], results["assignment"]
    return _times(notebook(loop) * table["epochs"] / (table["wall"] - table["teaching"]), 14)


def _student(results: Results, wanted: float, taken: float) -> str:
    """Seconds of a student-epoch that were wanted and taken, beside those of its products."""
    return _products(results, wanted, taken, EPOCH)


def _products(results: Results, wanted: float, taken: float, operations: float) -> str:
    floor = operations / speed(results) / results["cores"]
    return (
        f"{wanted:.2f} s wanted, {taken:.2f} s taken, of which the products, at the rate measured of one in "
        f"{results['precision']} on {results['cores']} cores, are {floor:.2f} s"
    )


def _than_notebook(results: Results) -> str:
    loop, _, search = three(results, ALL)
    return _student(results, notebook(loop) / 20, ours(search))


def _than_ray(results: Results) -> str:
    _, loop, search = three(results, ALL)
    return _student(results, ray(loop) / 15, ours(search))


def _of_the_wall(results: Results) -> str:
    loop, table = results[f"notebook, {ALL}"], results["assignment"]
    return _student(results, notebook(loop) / 14, (table["wall"] - table["teaching"]) / table["epochs"])


def _of_the_rate(results: Results) -> tuple[str, bool]:
    part = fraction(results[LARGE], speed(results))
    return f"{100 * part:.0f} % of {results['precision']}'s", part >= 0.45 and results["precision"] == "bfloat16"


def _no_bfloat16(results: Results) -> str:
    if results["precision"] == "bfloat16":
        return _unexplained(results)
    slower = results["rates"]["float32"] / results["rates"]["bfloat16"]
    return f"bfloat16 is {slower:.0f} times slower than float32 on this processor, so nothing is trained in it"


def _not_trained(results: Results) -> tuple[str, bool]:
    found = results[SECONDS]
    shown = f"{100 * found['share']:.0f} %; start and end aside {100 * between(found):.0f} %"
    return shown, found["share"] <= 0.1


def _start_and_end(results: Results) -> str:
    found = results[SECONDS]
    within = found["each"] * found["students"]
    trained = 2 * (1 - found["share"]) * found["wall"] / found["students"]  # two at once
    return (
        f"start and end take {found['wall'] - within:.0f} s, the students between them {within:.0f} s, "
        f"in which each is trained for {trained:.1f} s"
    )


def _passes(results: Results) -> tuple[str, bool]:
    few, many = results["passes"]["2"], results["passes"]["8"]
    return f"{few:.2f} and {many:.2f}", few == many == 1


def _memory(results: Results) -> tuple[str, bool]:
    extra = results[LARGE]["worker"] - results["bare"] / MB
    return f"{extra:.0f} MB", extra <= 300


def _trivial(results: Results) -> tuple[str, bool]:
    each = results[TRIVIAL]["each"]
    return f"{each:.3f} s", each <= 0.1


def _driver(results: Results) -> tuple[str, bool]:
    growth = results[TRIVIAL]["growth"]
    return f"{growth:.0f} MB", growth <= 100


def _teaching(results: Results) -> tuple[str, bool]:
    return _times(results[f"notebook, {ALL}"]["teacher"]["seconds"] / _lesson(results), 3)


def _lesson(results: Results) -> float:
    """Seconds of an epoch of the assignment's teacher, the mean of all of them."""
    return results["assignment"]["teaching"] / TAUGHT


def _than_its_teacher(results: Results) -> str:
    wanted = results[f"notebook, {ALL}"]["teacher"]["seconds"] / 3
    return _products(results, wanted, _lesson(results), LESSON)


def _assignment(results: Results) -> tuple[str, bool]:
    found = results["assignment"]
    told = f"{found['students']} students; {found['teaching'] / MINUTE:.0f} min of it the teacher"
    return f"{found['wall'] / MINUTE:.0f} min ({told})", found["wall"] <= 15 * MINUTE


def _of_the_table(results: Results) -> str:
    found = results["assignment"]
    return _products(results, 15 * MINUTE, found["wall"], EPOCH * found["epochs"] + TAUGHT * LESSON)


def _unexplained(_: Results) -> str:
    return "not known"


def _times(found: float, wanted: float, equal: bool = True) -> tuple[str, bool]:
    """Nothing is reached by other students."""
    return f"{times(found)}×" + ("" if equal else ", void"), found >= wanted and equal


GOALS = (
    Goal(
        "training seconds per student-epoch, against the notebook loop",
        "≥ 20×",
        (*names(ALL), "rates"),
        _against_notebook,
        _than_notebook,
    ),
    Goal(
        "the same by the wall of the assignment's table, its teacher's training aside",
        "≥ 14×",
        (f"notebook, {ALL}", "assignment", "rates"),
        _by_the_wall,
        _of_the_wall,
    ),
    Goal(
        "training seconds per student-epoch, against plain Ray Tune",
        "≥ 15×",
        (*names(ALL), "rates"),
        _against_ray,
        _than_ray,
    ),
    Goal(
        "part of the measured matrix-product rate",
        "≥ 45 % of bfloat16's",
        (LARGE, "rates"),
        _of_the_rate,
        _no_bfloat16,
    ),
    Goal("share not trained, 60 students of some 2 s", "≤ 10 %", (SECONDS,), _not_trained, _start_and_end),
    Goal("teacher passes per image, for 2 and for 8 students", "1", ("passes",), _passes, _unexplained),
    Goal("private memory of a worker over the bare imports", "≤ 300 MB", (LARGE, "bare"), _memory, _unexplained),
    Goal("seconds per trivial student, 1,000 of them", "≤ 0.1 s", (TRIVIAL,), _trivial, _unexplained),
    Goal("growth of the driver meanwhile", "≤ 100 MB", (TRIVIAL,), _driver, _unexplained),
    Goal(
        "teaching the CNN for 12 epochs, seconds per epoch, against one of the notebook loop",
        "≥ 3×",
        (f"notebook, {ALL}", "assignment", "rates"),
        _teaching,
        _than_its_teacher,
    ),
    Goal(
        "the assignment's table, one seed, 12 epochs, teacher included",
        "≤ 15 min",
        ("assignment", "rates"),
        _assignment,
        _of_the_table,
    ),
)
