"""Tables of a benchmark."""

from __future__ import annotations

import pytest

from benchmarks.measurements import inner_overhead, rate_fraction, same_accuracy
from benchmarks.table import benchmark_markdown, summary


def test_equal_groups_have_the_same_accuracy_and_distant_ones_do_not():
    assert same_accuracy([0.97, 0.972], [0.971, 0.969, 0.973], 10_000)
    assert not same_accuracy([0.97, 0.972], [0.93, 0.931, 0.929], 10_000)


def test_few_test_images_allow_for_more_noise():
    assert same_accuracy([0.90], [0.88], 1500) and not same_accuracy([0.90], [0.88], 100_000)


def test_a_worker_at_full_rate_has_fraction_1():
    steps, step = 55000 // 256, 2 * 256 * (5 * 784 * 784 + 3 * 784 * 10)
    assert rate_fraction({"epoch_seconds": [2.0, 2.0]}, steps * step / 2.0) == pytest.approx(1)


def results(accuracy: float = 0.97) -> dict:
    students = {"students": [{"seconds": 20.0, "accuracy": 0.97}, {"seconds": 22.0, "accuracy": 0.971}]}
    search = {
        "students": 10,
        "wall": 30.0,
        "estimate": 28.0,
        "wall_after_estimate": 29.0,
        "epoch_seconds": [4.0, 4.0],
        "accuracies": [accuracy] * 2,
    }
    search |= {"overhead": 0.2, "seconds_per_student": 0.05}
    search |= {"worker_mb": 500.0, "driver_growth_mb": 20.0, "driver_peak_mb": 300.0}
    students["wall"] = 25.0
    loops = {
        f"{loop}, {size} images": students
        for loop in ("notebook", "plain Ray", "Optuna")
        for size in ("60,000", "5,000")
    }
    names = [f"{size} images, 2 workers" for size in ("60,000", "5,000")]
    names += ["60 students of seconds", "1,000 trivial students", "10 trivial students"]
    machine = {"date": "today", "device": "a processor", "cores": 2, "precision": "float32", "bare": 200 * 2**20}
    machine |= {"rates": {"float32": 80e9, "bfloat16": 5e9}, "passes": {"2": 1.0, "8": 1.0}}
    loops["notebook, 60,000 images"] = {**students, "teacher": {"seconds": 80.0}}
    machine["assignment"] = {"students": 41, "epochs": 480, "wall": 1400.0, "teacher_seconds": 600.0}
    machine |= {"answers": {"--help": 0.5, "typo": 0.61, "imports": 4.0}, "first line": 0.9, "tables": 0.0012}
    machine["fast suite"] = {"wall": 486.0, "processor": 958.0, "tests": 6237, "longest": 150.0}
    machine |= {"driver": {"own": 0.03, "peer": 0.017}, "10 trivial students, plain Tune": 8.0}
    return machine | loops | dict.fromkeys(names, search)


def test_of_two_students_at_once_each_counts_half():
    text = benchmark_markdown(results())
    assert "| 60,000 images | 21.00 | 10.50 | 10.50 | 2.00 | 10.5 | 5.2 | 5.2 |" in text
    assert "speed-up over the notebook loop | ≥ 20× | 10.5× | 21.00 s | no |" in text
    assert "| 1,000 trivial students | 10 | 30 | 29 | 28 |" in text


def test_the_assignment_is_compared_without_teacher_training():
    text = benchmark_markdown(results())
    assert (
        "without teacher training, speed-up over the notebook loop | ≥ 14× | 12.6× | 168 min | no |" in text
    )  # 480 epochs of 21 s in 800 s
    assert "| ≤ 12 min | 23 min (41 students; 10 min for the teacher) | 184 min in the notebook loop | no |" in text


def test_a_missed_goal_has_a_reason():
    text = benchmark_markdown(results())
    rate = "at the measured float32 rate on 2 cores"
    assert f"| 10.5× | 21.00 s | no | target 1.05 s, measured 2.00 s; matrix products alone take 2.12 s {rate};" in text
    assert (
        f"| 1.6× | 80.00 s | no | target 26.67 s, measured 50.00 s; matrix products alone take 30.88 s {rate} |" in text
    )
    assert "| 20 %; without start-up" in text
    assert (
        "start-up and final tables take 30 s, the students between them 0 s; each student is trained for 4.8 s |"
        in text
    )
    assert "| 106 % of float32's | – | no | bfloat16 is 16 times slower" in text
    assert "| 0.050 s | – | yes | – |" in text


def test_overhead_without_startup():
    # 2 workers, each trains for 60 of 75 seconds
    search = {"overhead": 0.4, "wall": 100.0, "seconds_per_student": 1.5, "students": 50}
    assert inner_overhead(search) == pytest.approx(0.2)


def test_ratios_are_rounded_down_and_void_for_other_accuracies():
    almost = results()
    almost["60,000 images, 2 workers"] = almost["60,000 images, 2 workers"] | {"epoch_seconds": [2.1001]}
    assert "| ≥ 20× | 19.9× | 21.00 s | no |" in benchmark_markdown(almost)
    almost["60,000 images, 2 workers"] |= {"epoch_seconds": [2.0], "accuracies": [0.9, 0.9]}
    assert "| ≥ 20× | 21.0×, void |" in benchmark_markdown(almost)


def test_unknown_growth_is_a_dash():
    unseen = results()
    unseen["60 students of seconds"] = unseen["60 students of seconds"] | {"driver_growth_mb": None}
    assert "| – | 300 |" in benchmark_markdown(unseen)


def test_no_bfloat16_reason_where_it_is_used():
    fast = results() | {"precision": "bfloat16", "rates": {"float32": 80e9, "bfloat16": 400e9}}
    assert "| 21 % of bfloat16's | – | no | not known |" in benchmark_markdown(fast)


def test_a_faster_but_worse_student_voids_its_row():
    assert "void" in benchmark_markdown(results(0.90)) and "void" not in benchmark_markdown(results())


def test_waits_stand_beside_their_peers():
    text = benchmark_markdown(results())
    assert "| ≤ 0.6 s | 0.61 s | 4.0 s to import torch, Ray Tune and Optuna | no | not known |" in text
    assert "| ≤ plain Tune's without loggers | 30 ms | 17 ms | no |" in text
    assert "| ≤ 3 ms | 1.2 ms | – | yes | – |" in text
    assert "| ≤ 4 min | 8.1 min, 6,237 tests | – | no | 958 s of processor time; the longest ten" in text
    assert "| ≤ 10 s | 30.0 s | 8.0 s in plain Ray Tune" in text
    assert "| ≤ Optuna's | 30 s | 25 s | no | start-up, test scores" in text


def test_the_summary_is_one_item_of_a_list():
    line = summary(results())
    assert line.startswith(
        "- **Fast**: one student-epoch (55,000 images) takes 2.0 s; notebook loop 21.0 s, plain Ray Tune"
    )
    assert line.endswith(" 10.5 s, Optuna loop 10.5 s ([benchmarks](benchmarks/README.md)).")
