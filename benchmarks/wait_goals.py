"""Goals for time and memory beside the training: start, driver, files and tables."""

from __future__ import annotations

from benchmarks.goal import MINUTE, Goal
from benchmarks.measurements import LARGE, MB, Results, inner_overhead

SECONDS, TRIVIAL, TEN = "60 students of seconds", "1,000 trivial students", "10 trivial students"  # result keys
PLAIN_TEN = f"{TEN}, plain Tune"


def _overhead(results: Results) -> tuple[str, bool]:
    search = results[SECONDS]
    value = f"{100 * search['overhead']:.0f} %; without start-up {100 * inner_overhead(search):.0f} %"
    return value, search["overhead"] <= 0.15 and inner_overhead(search) <= 0.08


def _overhead_reason(results: Results) -> str:
    search = results[SECONDS]
    inner = search["seconds_per_student"] * search["students"]
    training = 2 * (1 - search["overhead"]) * search["wall"] / search["students"]  # two students at once
    return (
        f"start-up and final tables take {search['wall'] - inner:.0f} s, the students between them {inner:.0f} s; "
        f"each student is trained for {training:.1f} s"
    )


def _ten_trivial(results: Results) -> tuple[str, bool]:
    return f"{results[TEN]['wall']:.1f} s", results[TEN]["wall"] <= 10


def _ten_trivial_reason(results: Results) -> str:
    search = results[TEN]
    between = search["seconds_per_student"] * search["students"]
    return f"imports of the command and the workers, Ray's start, tables; the students take {between:.1f} s"


def _first_line(results: Results) -> tuple[str, bool]:
    return f"{results['first line']:.1f} s", results["first line"] <= 1


def _answers(results: Results) -> tuple[str, bool]:
    seconds = [value for name, value in results["answers"].items() if name != "imports"]
    return f"{max(seconds):.2f} s", max(seconds) <= 0.6


def _driver(results: Results) -> tuple[str, bool]:
    return f"{1000 * results['driver']['own']:.0f} ms", results["driver"]["own"] <= results["driver"]["peer"]


def _tables(results: Results) -> tuple[str, bool]:
    return f"{1000 * results['tables']:.1f} ms", results["tables"] <= 0.003


def _worker_memory(results: Results) -> tuple[str, bool]:
    extra = results[LARGE]["worker_mb"] - results["bare"] / MB
    return f"{extra:.0f} MB", extra <= 300


def _trivial_students(results: Results) -> tuple[str, bool]:
    seconds = results[TRIVIAL]["seconds_per_student"]
    return f"{seconds:.3f} s", seconds <= 0.1


def _driver_growth(results: Results) -> tuple[str, bool]:
    growth = results[TRIVIAL]["driver_growth_mb"]
    return f"{growth:.0f} MB", growth <= 100


def _fast_suite(results: Results) -> tuple[str, bool]:
    suite = results["fast suite"]
    return f"{suite['wall'] / MINUTE:.1f} min, {suite['tests']:,.0f} tests", suite["wall"] <= 4 * MINUTE


def _fast_suite_reason(results: Results) -> str:
    suite = results["fast suite"]
    return (
        f"{suite['processor']:.0f} s of processor time; the longest ten, which start Ray, interpreters or the "
        f"documentation, wait for {suite['longest']:.0f} s"
    )


WAIT_GOALS = (
    Goal(
        "overhead, 60 students of about 2 s", "≤ 15 %; without start-up ≤ 8 %", (SECONDS,), _overhead, _overhead_reason
    ),
    Goal(
        "wall time of ten trivial students",
        "≤ 10 s",
        (TEN, PLAIN_TEN),
        _ten_trivial,
        _ten_trivial_reason,
        lambda results: f"{results[PLAIN_TEN]:.1f} s in plain Ray Tune, without rows, scores, files and tables",
    ),
    Goal("first line of a search", "≤ 1 s", ("first line",), _first_line),
    Goal(
        "`--help`, `--version`, a misspelled flag: processor time of the slowest",
        "≤ 0.6 s",
        ("answers",),
        _answers,
        peer=lambda results: f"{results['answers']['imports']:.1f} s to import torch, Ray Tune and Optuna",
    ),
    Goal(
        "driver's processor time per trial",
        "≤ plain Tune's without loggers",
        ("driver",),
        _driver,
        lambda _: "rows, metrics and trackers of each student: see CLUSTER.md",
        lambda results: f"{1000 * results['driver']['peer']:.0f} ms",
    ),
    Goal("processor time of `python -m results` per student", "≤ 3 ms", ("tables",), _tables),
    Goal("`make unit`", "≤ 4 min", ("fast suite",), _fast_suite, _fast_suite_reason),
    Goal("private memory of a worker above its imports", "≤ 300 MB", (LARGE, "bare"), _worker_memory),
    Goal("time per student, 1,000 trivial students", "≤ 0.1 s", (TRIVIAL,), _trivial_students),
    Goal("driver memory growth, 1,000 trivial students", "≤ 100 MB", (TRIVIAL,), _driver_growth),
)
