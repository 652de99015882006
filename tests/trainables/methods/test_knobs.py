"""Laws for the knobs of every method."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.func import vmap
from torch.testing import assert_close

from spaces.parts import Method
from trainables.declare import declaration_of
from trainables.knobs import knob_schema
from trainables.methods import METHODS, Requirements, method_formula, method_requirements

PAIRS = [(name, knob) for name in sorted(METHODS) for knob in knob_schema(METHODS[name]).model_fields]
# A loss for teachers has no alpha, and the selector of a routed network is trained without a teacher, too.
WEIGHTED = [pair for pair in PAIRS if pair[0] != "contrast" and pair[1] not in ("alpha", "selector_weight")]
EPOCHS = (1, 2, 4)  # in each stage of a method with two; not the middle of 9


@pytest.mark.parametrize(("name", "knob"), PAIRS)
def test_every_knob_is_alive(
    name: str, knob: str, random_case: Callable, knobs: Callable, gradients: Callable, method_module: Callable
) -> None:
    values = knobs(name)
    moved = values | {knob: knobs(name, 1)[knob]}

    def second_step(epoch: int, chosen: dict) -> dict:
        module = method_module(name, random_case(name), **chosen)
        if module is not None:  # a memory has an effect from the second step
            gradients(name, random_case(name, seed=1), epoch, module, **chosen)
        return gradients(name, random_case(name), epoch, module, **chosen)

    both = [[second_step(epoch, chosen) for chosen in (values, moved)] for epoch in EPOCHS]
    assert any(not torch.allclose(before[leaf], after[leaf]) for before, after in both for leaf in before)


@pytest.mark.parametrize(("name", "knob"), WEIGHTED)
def test_other_knobs_are_inert_at_alpha_0(
    name: str, knob: str, random_case: Callable, knobs: Callable, gradients: Callable
) -> None:
    values = knobs(name) | {"alpha": 0.0}
    moved = values | {knob: knobs(name, 1)[knob]}
    for epoch in EPOCHS:
        before, after = (gradients(name, random_case(name), epoch, **chosen) for chosen in (values, moved))
        assert all(torch.equal(before[leaf], after[leaf]) for leaf in before)


# Methods of students in packs.
STACKED = {
    name
    for name, method in METHODS.items()
    if name != "none" and (declaration_of(method).stackable or not declaration_of(method).module)
}


# In the first stage of FitNets alpha is only compared with 0, a condition impossible under vmap.
@pytest.mark.parametrize("name", sorted(STACKED))
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # kl_div has no batching rule
def test_vmap_over_numbers_is_a_loop(
    name: str, random_case: Callable, knobs: Callable, loss: Callable, method_module: Callable
) -> None:
    case, rest = random_case(name), knobs(name)
    module, fixed = method_module(name, case, **rest), requirements(name, rest).module_knobs
    drawn = [
        {knob: x for knob, x in knobs(name, seed).items() if isinstance(x, float) and knob not in fixed}
        for seed in range(6)
    ]
    looped = torch.stack([loss(name, case, 5, module, **rest | values) for values in drawn])
    columns = {knob: torch.tensor([values[knob] for values in drawn], dtype=torch.float64) for knob in drawn[0]}
    assert_close(vmap(lambda values: loss(name, case, 5, module, **rest | values))(columns), looped)


def requirements(name: str, values: dict) -> Requirements:
    return method_requirements(Method(name=name, **values))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_formula_is_one_line(name: str) -> None:
    text, fields = method_formula(name), knob_schema(METHODS[name]).model_fields
    assert "\n" not in text and "CE(student, labels)" in text
    assert ("alpha" in text) == ("alpha" in fields)
    for knob in fields:
        assert knob in text or (knob == "temperature" and " T" in text)
