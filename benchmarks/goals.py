"""Performance goals on two cores, what was measured, and reasons for missed goals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.measurements import (
    ALL,
    LARGE,
    MB,
    STUDENT_EPOCH_OPERATIONS,
    TEACHER_EPOCH_OPERATIONS,
    Results,
    compared_accuracies,
    compared_names,
    compared_results,
    inner_overhead,
    notebook_seconds,
    product_rate,
    rate_fraction,
    ratio_text,
    ray_seconds,
    search_seconds,
)

MINUTE = 60  # seconds
TEACHER_EPOCHS = 12  # of the assignment
SECONDS, TRIVIAL = "60 students of seconds", "1,000 trivial students"  # result keys


class Goal(NamedTuple):
    """One row: required results, a function for value and success, and one for the reason of a miss."""

    name: str
    target: str
    required: tuple[str, ...]
    measure: Callable[[Results], tuple[str, bool]]
    reason: Callable[[Results], str]


def goal_rows(results: Results) -> Iterator[Sequence[object]]:
    """Yield the rows of the table, its heads first."""
    yield "goal", "target", "measured", "reached", "reason"
    for goal in GOALS:
        if any(name not in results for name in goal.required):
            yield goal.name, goal.target, "not measured", "–", "–"
        else:
            value, reached = goal.measure(results)
            yield goal.name, goal.target, value, "yes" if reached else "no", "–" if reached else goal.reason(results)


def _speedup(ratio: float, target: float, same_accuracy: bool = True) -> tuple[str, bool]:
    """A speed-up is void if the students are worse or better."""
    return f"{ratio_text(ratio)}×" + ("" if same_accuracy else ", void"), ratio >= target and same_accuracy


def _speedup_over_notebook(results: Results) -> tuple[str, bool]:
    notebook, _, search = compared_results(results, ALL)
    return _speedup(notebook_seconds(notebook) / search_seconds(search), 20, compared_accuracies(results, ALL)[0])


def _speedup_over_ray(results: Results) -> tuple[str, bool]:
    _, ray, search = compared_results(results, ALL)
    return _speedup(ray_seconds(ray) / search_seconds(search), 15, compared_accuracies(results, ALL)[1])


def _wall_speedup(results: Results) -> tuple[str, bool]:
    notebook, table = results[f"notebook, {ALL}"], results["assignment"]
    return _speedup(notebook_seconds(notebook) * table["epochs"] / (table["wall"] - table["teacher_seconds"]), 14)


def _product_reason(results: Results, target: float, seconds: float, operations: float) -> str:
    products = operations / product_rate(results) / results["cores"]
    return (
        f"target {target:.2f} s, measured {seconds:.2f} s; matrix products alone take {products:.2f} s at the measured "
        f"{results['precision']} rate on {results['cores']} cores"
    )


def _notebook_reason(results: Results) -> str:
    notebook, _, search = compared_results(results, ALL)
    target = notebook_seconds(notebook) / 20
    return _product_reason(results, target, search_seconds(search), STUDENT_EPOCH_OPERATIONS)


def _ray_reason(results: Results) -> str:
    _, ray, search = compared_results(results, ALL)
    return _product_reason(results, ray_seconds(ray) / 15, search_seconds(search), STUDENT_EPOCH_OPERATIONS)


def _wall_reason(results: Results) -> str:
    notebook, table = results[f"notebook, {ALL}"], results["assignment"]
    seconds = (table["wall"] - table["teacher_seconds"]) / table["epochs"]
    return _product_reason(results, notebook_seconds(notebook) / 14, seconds, STUDENT_EPOCH_OPERATIONS)


def _product_fraction(results: Results) -> tuple[str, bool]:
    fraction = rate_fraction(results[LARGE], product_rate(results))
    reached = fraction >= 0.45 and results["precision"] == "bfloat16"
    return f"{100 * fraction:.0f} % of {results['precision']}'s", reached


def _bfloat16_reason(results: Results) -> str:
    if results["precision"] == "bfloat16":
        return _unknown_reason(results)
    ratio = results["rates"]["float32"] / results["rates"]["bfloat16"]
    return f"bfloat16 is {ratio:.0f} times slower than float32 on this CPU and is therefore not used"


def _overhead(results: Results) -> tuple[str, bool]:
    search = results[SECONDS]
    value = f"{100 * search['overhead']:.0f} %; without start-up {100 * inner_overhead(search):.0f} %"
    return value, search["overhead"] <= 0.1


def _startup_reason(results: Results) -> str:
    search = results[SECONDS]
    inner = search["seconds_per_student"] * search["students"]
    training = 2 * (1 - search["overhead"]) * search["wall"] / search["students"]  # two students at once
    return (
        f"start-up and final tables take {search['wall'] - inner:.0f} s, the students between them {inner:.0f} s; "
        f"each student is trained for {training:.1f} s"
    )


def _teacher_passes(results: Results) -> tuple[str, bool]:
    few, many = results["passes"]["2"], results["passes"]["8"]
    return f"{few:.2f} and {many:.2f}", few == many == 1


def _worker_memory(results: Results) -> tuple[str, bool]:
    extra = results[LARGE]["worker_mb"] - results["bare"] / MB
    return f"{extra:.0f} MB", extra <= 300


def _trivial_students(results: Results) -> tuple[str, bool]:
    seconds = results[TRIVIAL]["seconds_per_student"]
    return f"{seconds:.3f} s", seconds <= 0.1


def _driver_growth(results: Results) -> tuple[str, bool]:
    growth = results[TRIVIAL]["driver_growth_mb"]
    return f"{growth:.0f} MB", growth <= 100


def _teacher_speedup(results: Results) -> tuple[str, bool]:
    return _speedup(results[f"notebook, {ALL}"]["teacher"]["seconds"] / _teacher_epoch_seconds(results), 3)


def _teacher_epoch_seconds(results: Results) -> float:
    return results["assignment"]["teacher_seconds"] / TEACHER_EPOCHS


def _teacher_reason(results: Results) -> str:
    target = results[f"notebook, {ALL}"]["teacher"]["seconds"] / 3
    return _product_reason(results, target, _teacher_epoch_seconds(results), TEACHER_EPOCH_OPERATIONS)


def _assignment_wall(results: Results) -> tuple[str, bool]:
    table = results["assignment"]
    parts = f"{table['students']} students; {table['teacher_seconds'] / MINUTE:.0f} min for the teacher"
    return f"{table['wall'] / MINUTE:.0f} min ({parts})", table["wall"] <= 15 * MINUTE


def _assignment_reason(results: Results) -> str:
    table = results["assignment"]
    operations = STUDENT_EPOCH_OPERATIONS * table["epochs"] + TEACHER_EPOCHS * TEACHER_EPOCH_OPERATIONS
    return _product_reason(results, 15 * MINUTE, table["wall"], operations)


def _unknown_reason(_: Results) -> str:
    return "not known"


GOALS = (
    Goal(
        "training time per student-epoch, speed-up over the notebook loop",
        "≥ 20×",
        (*compared_names(ALL), "rates"),
        _speedup_over_notebook,
        _notebook_reason,
    ),
    Goal(
        "wall time of the assignment's table without teacher training, speed-up over the notebook loop",
        "≥ 14×",
        (f"notebook, {ALL}", "assignment", "rates"),
        _wall_speedup,
        _wall_reason,
    ),
    Goal(
        "training time per student-epoch, speed-up over plain Ray Tune",
        "≥ 15×",
        (*compared_names(ALL), "rates"),
        _speedup_over_ray,
        _ray_reason,
    ),
    Goal(
        "fraction of the measured matrix-product rate",
        "≥ 45 % of bfloat16's",
        (LARGE, "rates"),
        _product_fraction,
        _bfloat16_reason,
    ),
    Goal("overhead, 60 students of about 2 s", "≤ 10 %", (SECONDS,), _overhead, _startup_reason),
    Goal("teacher forward passes per image, 2 and 8 students", "1", ("passes",), _teacher_passes, _unknown_reason),
    Goal("private memory of a worker above its imports", "≤ 300 MB", (LARGE, "bare"), _worker_memory, _unknown_reason),
    Goal("time per student, 1,000 trivial students", "≤ 0.1 s", (TRIVIAL,), _trivial_students, _unknown_reason),
    Goal("driver memory growth, 1,000 trivial students", "≤ 100 MB", (TRIVIAL,), _driver_growth, _unknown_reason),
    Goal(
        "teacher training (CNN, 12 epochs), time per epoch, speed-up over the notebook loop",
        "≥ 3×",
        (f"notebook, {ALL}", "assignment", "rates"),
        _teacher_speedup,
        _teacher_reason,
    ),
    Goal(
        "the assignment's table, one seed, 12 epochs, teacher included",
        "≤ 15 min",
        ("assignment", "rates"),
        _assignment_wall,
        _assignment_reason,
    ),
)
