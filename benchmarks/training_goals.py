"""Goals for the time of training itself, of students and teachers."""

from __future__ import annotations

from benchmarks.goal import MINUTE, Goal, product_reason, speedup, unknown_reason
from benchmarks.measurements import (
    ALL,
    LARGE,
    STUDENT_EPOCH_OPERATIONS,
    TEACHER_EPOCH_OPERATIONS,
    Results,
    comparable_peers,
    compared_names,
    peer_results,
    peer_seconds,
    product_rate,
    rate_fraction,
    search_results,
    search_seconds,
)

TEACHER_EPOCHS = 12  # of the assignment
TARGETS = (20, 15, 1)  # speed-ups over PEERS
NOTEBOOK, RAY, OPTUNA = range(3)  # places in PEERS
NOTEBOOK_RESULT = f"notebook, {ALL}"


def _student_goal(name: str, peer: int) -> Goal:
    """Return the goal for the time of a student-epoch beside one of PEERS."""

    def measure(results: Results) -> tuple[str, bool]:
        ratio = peer_seconds(results, ALL)[peer] / _own_seconds(results)
        return speedup(ratio, TARGETS[peer], comparable_peers(results, ALL)[peer])

    def reason(results: Results) -> str:
        target = peer_seconds(results, ALL)[peer] / TARGETS[peer]
        text = product_reason(results, target, _own_seconds(results), STUDENT_EPOCH_OPERATIONS)
        return f"{text}; profile: cost of a student's step, below"

    required = (*compared_names(ALL), "rates")
    title = f"training time per student-epoch, speed-up over {name}"
    return Goal(
        title,
        f"≥ {TARGETS[peer]}×",
        required,
        measure,
        reason,
        lambda results: _seconds(peer_seconds(results, ALL)[peer]),
    )


def _own_seconds(results: Results) -> float:
    return search_seconds(search_results(results, ALL))


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


def _ten_students(results: Results) -> tuple[str, bool]:
    own, peer = search_results(results, ALL)["wall"], peer_results(results, ALL)[OPTUNA]["wall"]
    return f"{own:.0f} s", own <= peer


def _ten_students_reason(results: Results) -> str:
    search = search_results(results, ALL)
    between = search["seconds_per_student"] * search["students"]
    return f"start-up, test scores, files and tables: the students take {between:.0f} s of it, from first to last"


def _notebook_epochs(results: Results) -> float:
    return peer_seconds(results, ALL)[NOTEBOOK] * results["assignment"]["epochs"]


def _wall_speedup(results: Results) -> tuple[str, bool]:
    table = results["assignment"]
    return speedup(_notebook_epochs(results) / (table["wall"] - table["teacher_seconds"]), 14)


def _wall_reason(results: Results) -> str:
    table = results["assignment"]
    seconds = (table["wall"] - table["teacher_seconds"]) / table["epochs"]
    return product_reason(results, peer_seconds(results, ALL)[NOTEBOOK] / 14, seconds, STUDENT_EPOCH_OPERATIONS)


def _product_fraction(results: Results) -> tuple[str, bool]:
    fraction = rate_fraction(results[LARGE], product_rate(results))
    reached = fraction >= 0.45 and results["precision"] == "bfloat16"
    return f"{100 * fraction:.0f} % of {results['precision']}'s", reached


def _bfloat16_reason(results: Results) -> str:
    if results["precision"] == "bfloat16":
        return unknown_reason(results)
    ratio = results["rates"]["float32"] / results["rates"]["bfloat16"]
    return f"bfloat16 is {ratio:.0f} times slower than float32 on this CPU and is therefore not used"


def _teacher_passes(results: Results) -> tuple[str, bool]:
    few, many = results["passes"]["2"], results["passes"]["8"]
    return f"{few:.2f} and {many:.2f}", few == many == 1


def _notebook_teacher_seconds(results: Results) -> float:
    return peer_results(results, ALL)[NOTEBOOK]["teacher"]["seconds"]


def _teacher_speedup(results: Results) -> tuple[str, bool]:
    return speedup(_notebook_teacher_seconds(results) / _teacher_epoch_seconds(results), 3)


def _teacher_epoch_seconds(results: Results) -> float:
    return results["assignment"]["teacher_seconds"] / TEACHER_EPOCHS


def _teacher_reason(results: Results) -> str:
    target = _notebook_teacher_seconds(results) / 3
    return product_reason(results, target, _teacher_epoch_seconds(results), TEACHER_EPOCH_OPERATIONS)


def _assignment_wall(results: Results) -> tuple[str, bool]:
    table = results["assignment"]
    parts = f"{table['students']} students; {table['teacher_seconds'] / MINUTE:.0f} min for the teacher"
    return f"{table['wall'] / MINUTE:.0f} min ({parts})", table["wall"] <= 12 * MINUTE


def _assignment_reason(results: Results) -> str:
    table = results["assignment"]
    operations = STUDENT_EPOCH_OPERATIONS * table["epochs"] + TEACHER_EPOCHS * TEACHER_EPOCH_OPERATIONS
    return product_reason(results, 12 * MINUTE, table["wall"], operations)


def _assignment_peer(results: Results) -> str:
    seconds = _notebook_epochs(results) + TEACHER_EPOCHS * _notebook_teacher_seconds(results)
    return f"{seconds / MINUTE:.0f} min in the notebook loop"


TRAINING_GOALS = (
    _student_goal("the notebook loop", NOTEBOOK),
    _student_goal("plain Ray Tune", RAY),
    _student_goal("Optuna with a careful loop", OPTUNA),
    Goal(
        "wall time of ten students of one epoch, 60,000 images, teacher cached",
        "≤ Optuna's",
        compared_names(ALL),
        _ten_students,
        _ten_students_reason,
        lambda results: f"{peer_results(results, ALL)[OPTUNA]['wall']:.0f} s",
    ),
    Goal(
        "wall time of the assignment's table without teacher training, speed-up over the notebook loop",
        "≥ 14×",
        (NOTEBOOK_RESULT, "assignment", "rates"),
        _wall_speedup,
        _wall_reason,
        lambda results: f"{_notebook_epochs(results) / MINUTE:.0f} min",
    ),
    Goal(
        "fraction of the measured matrix-product rate",
        "≥ 45 % of bfloat16's",
        (LARGE, "rates"),
        _product_fraction,
        _bfloat16_reason,
    ),
    Goal("teacher forward passes per image, 2 and 8 students", "1", ("passes",), _teacher_passes),
    Goal(
        "teacher training (CNN, 12 epochs), time per epoch, speed-up over the notebook loop",
        "≥ 3×",
        (NOTEBOOK_RESULT, "assignment", "rates"),
        _teacher_speedup,
        _teacher_reason,
        lambda results: _seconds(_notebook_teacher_seconds(results)),
    ),
    Goal(
        "the assignment's table, one seed, 12 epochs, teacher included",
        "≤ 12 min",
        (NOTEBOOK_RESULT, "assignment", "rates"),
        _assignment_wall,
        _assignment_reason,
        _assignment_peer,
    ),
)
