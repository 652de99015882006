"""What a benchmark says of its measurements."""

from __future__ import annotations

import pytest

from benchmarks.table import fraction, markdown, same


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
    found = {"students": 10, "wall": 30.0, "estimate": 28.0, "training": [4.0, 4.0], "accuracies": [accuracy] * 2}
    found |= {"share": 0.2, "each": 0.05, "worker": 500.0, "growth": 20.0}
    loops = {f"{loop}, {size} images": students for loop in ("notebook", "plain Ray") for size in ("60,000", "5,000")}
    names = [f"{size} images, 2 workers" for size in ("60,000", "5,000")]
    names += ["60 students of seconds", "1,000 trivial students"]
    about = {"date": "today", "device": "a processor", "cores": 2, "precision": "float32", "bare": 200 * 2**20}
    about |= {"rates": {"float32": 80e9, "bfloat16": 5e9}, "teacher": {"seconds": 40.0}, "passes": {"2": 1.0, "8": 1.0}}
    loops["notebook, 60,000 images"] = {**students, "teacher": {"seconds": 80.0}}
    return about | loops | dict.fromkeys(names, found)


def test_two_students_at_once_count_as_half_each():
    text = markdown(results())
    assert "| 60,000 images | 21.00 | 10.50 | 2.00 | 10.5 | 5.2 |" in text
    assert "against the notebook loop | ≥ 20× | 10.5× | no |" in text
    assert "| 1,000 trivial students | 10 | 30 | 28 |" in text


def test_a_faster_but_worse_student_voids_its_row():
    assert "void" in markdown(results(0.90)) and "void" not in markdown(results())
