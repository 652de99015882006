"""What a benchmark says of its measurements."""

from __future__ import annotations

import pytest

from benchmarks.found import between, fraction, same
from benchmarks.table import markdown


def test_equal_groups_are_the_same_and_far_ones_are_not():
    assert same([0.97, 0.972], [0.971, 0.969, 0.973], 10_000)
    assert not same([0.97, 0.972], [0.93, 0.931, 0.929], 10_000)


def test_few_test_images_allow_for_more_noise():
    assert same([0.90], [0.88], 1500) and not same([0.90], [0.88], 100_000)


def test_a_worker_at_full_rate_reaches_the_whole_fraction():
    steps, step = 55000 // 256, 2 * 256 * (5 * 784 * 784 + 3 * 784 * 10)
    assert fraction({"training": [2.0, 2.0]}, steps * step / 2.0) == pytest.approx(1)


def results(accuracy: float = 0.97) -> dict:
    students = {"students": [{"seconds": 20.0, "accuracy": 0.97}, {"seconds": 22.0, "accuracy": 0.971}]}
    found = {
        "students": 10,
        "wall": 30.0,
        "estimate": 28.0,
        "after": 29.0,
        "training": [4.0, 4.0],
        "accuracies": [accuracy] * 2,
    }
    found |= {"share": 0.2, "each": 0.05, "worker": 500.0, "growth": 20.0, "peak": 300.0}
    loops = {f"{loop}, {size} images": students for loop in ("notebook", "plain Ray") for size in ("60,000", "5,000")}
    names = [f"{size} images, 2 workers" for size in ("60,000", "5,000")]
    names += ["60 students of seconds", "1,000 trivial students"]
    about = {"date": "today", "device": "a processor", "cores": 2, "precision": "float32", "bare": 200 * 2**20}
    about |= {"rates": {"float32": 80e9, "bfloat16": 5e9}, "passes": {"2": 1.0, "8": 1.0}}
    loops["notebook, 60,000 images"] = {**students, "teacher": {"seconds": 80.0}}
    about["assignment"] = {"students": 41, "epochs": 480, "wall": 1400.0, "teaching": 600.0}
    return about | loops | dict.fromkeys(names, found)


def test_two_students_at_once_count_as_half_each():
    text = markdown(results())
    assert "| 60,000 images | 21.00 | 10.50 | 2.00 | 10.5 | 5.2 |" in text
    assert "against the notebook loop | ≥ 20× | 10.5× | no |" in text
    assert "| 1,000 trivial students | 10 | 30 | 29 | 28 |" in text


def test_the_table_is_compared_by_the_wall_but_for_its_teacher_s_training():
    text = markdown(results())
    assert "its teacher's training aside | ≥ 14× | 12.6× | no |" in text  # 480 epochs of 21 s in 800 s
    assert "| ≤ 15 min | 23 min (41 students; 10 min of it the teacher) | no |" in text


def test_what_falls_short_says_how_far_arithmetic_would_let_it():
    text = markdown(results())
    of = "of which the products, at the rate measured of one in float32 on 2 cores, are"
    assert f"| 10.5× | no | 1.05 s wanted, 2.00 s taken, {of} 2.12 s |" in text
    assert f"| 1.6× | no | 26.67 s wanted, 50.00 s taken, {of} 30.88 s |" in text
    assert "| 20 %; start and end aside" in text
    assert "start and end take 30 s, the students between them 0 s, in which each is trained for 4.8 s |" in text
    assert "| 106 % of float32's | no | bfloat16 is 16 times slower" in text
    assert "| 0.050 s | yes | – |" in text


def test_start_and_end_of_a_command_can_be_put_aside():
    found = {"share": 0.4, "wall": 100.0, "each": 1.5, "students": 50}  # 2 workers, of 75 s each trained for 60
    assert between(found) == pytest.approx(0.2)


def test_a_goal_is_not_shown_as_reached_before_it_is_nor_reached_by_other_students():
    almost = results()
    almost["60,000 images, 2 workers"] = almost["60,000 images, 2 workers"] | {"training": [2.1001]}
    assert "| ≥ 20× | 19.9× | no |" in markdown(almost)
    almost["60,000 images, 2 workers"] |= {"training": [2.0], "accuracies": [0.9, 0.9]}
    assert "| ≥ 20× | 21.0×, void | no |" in markdown(almost)


def test_what_was_not_seen_twice_has_not_grown_by_nothing():
    unseen = results()
    unseen["60 students of seconds"] = unseen["60 students of seconds"] | {"growth": None}
    assert "| – | 300 |" in markdown(unseen)


def test_bfloat16_is_no_excuse_where_it_is_there():
    fast = results() | {"precision": "bfloat16", "rates": {"float32": 80e9, "bfloat16": 400e9}}
    assert "| 21 % of bfloat16's | no | not known |" in markdown(fast)


def test_a_faster_but_worse_student_voids_its_row():
    assert "void" in markdown(results(0.90)) and "void" not in markdown(results())
