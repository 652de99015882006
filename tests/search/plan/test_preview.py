"""What a check says beyond the plan."""

from __future__ import annotations

import pytest

from search.plan.estimate import Plan
from search.plan.preview import preview_lines, stage_previews

COUNTED = Plan({"explore": 4, "baseline": 2, "confirm": 0}, 1, 18, 70.0, 1.0, 10.0)
NETWORK = (64 * 8 + 8 + 8 * 10 + 10) * 4  # bytes


def test_each_stage_with_its_share_of_time_memory_and_disk(space, digits):
    taught, explore, baseline = stage_previews(space(seeds=[0, 1]), digits, COUNTED, 2)
    assert (taught.name, taught.trained, taught.epochs, taught.seconds) == ("teachers", 1, 2, 10.0)
    assert (explore.name, explore.trained, explore.epochs, explore.seconds) == ("explore", 4, 12, 40.0)
    assert (baseline.name, baseline.trained, baseline.epochs, baseline.seconds) == ("baseline", 2, 6, 20.0)
    assert (explore.disk, baseline.disk) == (4 * NETWORK, 2 * NETWORK)
    assert taught.disk == (64 * 16 + 16 + 16 * 10 + 10) * 4 + 1797 * 10 * 4


@pytest.mark.parametrize(("workers", "students"), [(1, 1), (4, 4), (9, 4)])
def test_memory_is_that_of_all_that_train_at_once(space, digits, workers, students):
    one, many = ([*stage_previews(space(), digits, COUNTED, n)][1].memory for n in (1, workers))
    assert many == students * one


def test_packs_are_told_and_need_the_memory_of_all_in_them(space, digits):
    four = space(resources={"pack": 4})
    text = "\n".join(preview_lines(four, digits, COUNTED, 1))
    assert (
        "packs     up to 4 students at a time are stacked into one network" in text and "tensors of 4 trained at the same time" in text
    )
    assert "packs" not in "\n".join(preview_lines(space(), digits, COUNTED, 1))
    assert [*stage_previews(four, digits, COUNTED, 1)][1].memory == 4 * [*stage_previews(space(), digits, COUNTED, 1)][
        1
    ].memory


def test_the_largest_option_counts(space, digits):
    wide = {"model": {"name": "mlp", "hidden": {"choice": [[8], [256]]}}}
    small, large = ([*stage_previews(space(**parts), digits, COUNTED, 1)][1] for parts in ({}, {"student": wide}))
    assert large.memory > small.memory and large.disk > 20 * small.disk


def test_a_search_without_a_teacher_has_no_such_stage(space, digits):
    found = stage_previews(space(method={"name": "none"}), digits, COUNTED._replace(teachers=0), 1)
    assert [each.name for each in found] == ["explore", "baseline"]


def test_formula_and_knobs_are_told(space, digits):
    text = "\n".join(preview_lines(space(), digits, COUNTED, 2))
    assert "loss      hinton: alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE" in text
    assert "knobs     each of these changes the trained weights: method.alpha, method.temperature" in text
    assert "method.temperature: not everywhere: where the teacher has no weight the student is the baseline" in text
    assert "inert" not in text


def test_a_dead_knob_is_told_with_the_values_it_was_moved_between(space, digits):
    dead = {"name": "hinton", "alpha": 0, "temperature": {"choice": [1, 4]}}
    (line,) = [line for line in preview_lines(space(method=dead), digits, COUNTED, 1) if line.startswith("  inert")]
    expected = (
        "method.temperature: 1 and 4 give the same weights: where the teacher has no weight the student is the baseline"
    )
    assert line.removeprefix("  inert     ") == expected


def test_every_formula_of_a_choice_of_methods_is_told_once(space, digits):
    choice = {"choice": [{"name": "none"}, {"name": "hinton", "alpha": {"choice": [0.5, 1]}, "temperature": 4}]}
    told = [line for line in preview_lines(space(method=choice), digits, COUNTED, 1) if line.startswith("  loss")]
    assert [line.split()[1] for line in told] == ["none:", "hinton:"]


def test_what_the_answers_to_all_views_take_is_told(space, digits):
    train = {"augment": {"views": 32, "flip": "horizontal"}}
    (line,) = [line for line in preview_lines(space(train=train), digits, COUNTED, 1) if line.startswith("  views")]
    assert line == "  views     32 of each of 1,097 images: a teacher's logits for them take 1 MB"
