"""The loss on labels only."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from trainables.methods.none import none


def test_none_is_cross_entropy_and_needs_no_teacher(random_case: Callable) -> None:
    case = random_case()
    hard = cross_entropy(case.student.logits, case.labels, reduction="none")
    assert torch.equal(none(case.student, None, case.labels), hard)


def test_students_and_selector_of_a_routed_network_are_trained(random_case: Callable) -> None:
    case = random_case("routed")
    hard = [
        cross_entropy(logits, case.labels, reduction="none") for logits in case.student.features["students"].unbind(1)
    ]
    best = torch.stack(hard).argmin(0)
    choice = cross_entropy(case.student.features["selector"], best, reduction="none")
    assert_close(none(case.student, None, case.labels), torch.stack(hard).mean(0) + choice)
