"""The loss of the labels alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from trainables.methods.none import none


def test_none_is_cross_entropy_and_needs_no_teacher(some: Callable) -> None:
    case = some()
    hard = cross_entropy(case.student.logits, case.labels, reduction="none")
    assert torch.equal(none(case.student, None, case.labels), hard)


def test_all_students_of_a_routed_network_learn_and_its_selector(some: Callable) -> None:
    case = some("routed")
    hard = [cross_entropy(each, case.labels, reduction="none") for each in case.student.features["students"].unbind(1)]
    best = torch.stack(hard).argmin(0)
    choice = cross_entropy(case.student.features["selector"], best, reduction="none")
    assert_close(none(case.student, None, case.labels), torch.stack(hard).mean(0) + choice)
