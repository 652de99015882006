"""Lines of the preview."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from search.environment import environment_record
from search.plan.estimate import Plan
from search.plan.preview import preview_lines, stage_previews

COUNTED = Plan(
    {"explore": 4, "baseline": 2, "confirm": 0}, 1, {"explore": 12, "baseline": 6, "confirm": 0}, 70.0, 1.0, 10.0
)
NETWORK = (64 * 8 + 8 + 8 * 10 + 10) * 4  # bytes


def joined(lines: Iterable[str]) -> str:
    """Return the rows without the breaks at 80 columns."""
    return "\n".join(lines).replace("\n            ", " ")


def test_each_stage_with_its_share_of_time_memory_and_disk(space, digits):
    teachers, explore, baseline = stage_previews(space(seeds=[0, 1]), digits, COUNTED, 2)
    assert (teachers.name, teachers.trained, teachers.epochs, teachers.seconds) == ("teachers", 1, 2, 10.0)
    assert (explore.name, explore.trained, explore.epochs, explore.seconds) == ("explore", 4, 12, 40.0)
    assert (baseline.name, baseline.trained, baseline.epochs, baseline.seconds) == ("baseline", 2, 6, 20.0)
    assert (explore.disk, baseline.disk) == (4 * NETWORK, 2 * NETWORK)
    assert teachers.disk == (64 * 16 + 16 + 16 * 10 + 10) * 4 + 1797 * 10 * 4


def test_cached_teachers_take_no_time(space, digits):
    lines = [*preview_lines(space(), digits, COUNTED._replace(teacher_seconds=0.0), 1)]
    assert [line.split()[:4] for line in lines if "teachers " in line] == [["teachers", "1", "2", "cached"]]


@pytest.mark.parametrize(("workers", "students"), [(1, 1), (4, 4), (9, 4)])
def test_memory_is_that_of_all_students_trained_at_the_same_time(space, digits, workers, students):
    single, many = ([*stage_previews(space(), digits, COUNTED, n)][1].memory for n in (1, workers))
    assert many == students * single


def test_a_pack_needs_the_memory_of_all_its_students(space, digits):
    four = space(resources={"pack": 4})
    text = "\n".join(preview_lines(four, digits, COUNTED, 1))
    assert "packs     up to 4 students are stacked into one network" in text
    assert "memory: tensors of 4 trained at a time" in text
    assert "packs" not in "\n".join(preview_lines(space(), digits, COUNTED, 1))
    assert [*stage_previews(four, digits, COUNTED, 1)][1].memory == 4 * [*stage_previews(space(), digits, COUNTED, 1)][
        1
    ].memory


def test_the_largest_option_counts(space, digits):
    wide = {"model": {"name": "mlp", "hidden": {"choice": [[8], [256]]}}}
    small, large = ([*stage_previews(space(**parts), digits, COUNTED, 1)][1] for parts in ({}, {"student": wide}))
    assert large.memory > small.memory and large.disk > 20 * small.disk


def test_a_search_without_teachers_has_no_teacher_stage(space, digits):
    previews = stage_previews(space(method={"name": "none"}), digits, COUNTED._replace(teachers=0), 1)
    assert [preview.name for preview in previews] == ["explore", "baseline"]


def test_formula_and_knobs_are_shown(space, digits):
    lines = [*preview_lines(space(), digits, COUNTED, 2)]
    assert max(map(len, lines)) <= 80
    text = joined(lines)
    assert "loss      hinton: alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE" in text
    assert "knobs     each changes the trained weights: method.alpha, method.temperature" in text
    assert "method.temperature: not everywhere: where the teacher has no weight the student is the baseline" in text
    assert "inert" not in text


def test_an_inert_knob_is_shown_with_its_values(space, digits):
    dead = {"name": "hinton", "alpha": 0, "temperature": {"choice": [1, 4]}}
    text = joined(preview_lines(space(method=dead), digits, COUNTED, 1))
    expected = (
        "method.temperature: 1 and 4 give the same weights: where the teacher has no weight the student is the baseline"
    )
    assert text.endswith(f"  inert     {expected}")


def test_each_formula_is_shown_once(space, digits):
    choice = {"choice": [{"name": "none"}, {"name": "hinton", "alpha": {"choice": [0.5, 1]}, "temperature": 4}]}
    lines = [line for line in preview_lines(space(method=choice), digits, COUNTED, 1) if line.startswith("  loss")]
    assert [line.split()[1] for line in lines] == ["none:", "hinton:"]


def test_a_formula_names_used_options_only(space, digits):
    """The plan and the protocol of every table show it."""
    method = {"name": "hinton", "alpha": 0.5, "temperature": {"choice": [1, 4]}}
    used = method | {"final_temperature": 1, "standardize": {"choice": [True, False]}}
    texts = [joined(preview_lines(space(method=values), digits, COUNTED, 1)) for values in (method, used)]
    assert [("final_temperature by" in text, "if standardize" in text) for text in texts] == [(False,) * 2, (True,) * 2]
    losses = [environment_record(space(method=values), digits, "x", {})["loss"] for values in (method, used)]
    assert losses[0].endswith("CE(student, labels)") and losses[1].endswith("unit variance if standardize")


def test_the_size_of_logits_for_views_is_shown(space, digits):
    train = {"augment": {"views": 32, "flip": "horizontal"}}
    (line,) = [line for line in preview_lines(space(train=train), digits, COUNTED, 1) if line.startswith("  views")]
    assert line == "  views     32 of each of 1,097 images: a teacher's logits for them take 1 MB"
