from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.seeding import derive, generator

SEEDS = st.integers(0, 2**32)
PURPOSES = st.sampled_from(["init", "order", "dropout", "jitter"])


def test_same_numbers_for_ever() -> None:
    # Published students hang on these: they may never be adjusted.
    assert derive(0, "init") == 7615695542073086227
    assert derive(7, "order", 3) == 929583480629082613


@settings(deadline=None)
@given(SEEDS, PURPOSES, st.integers(0, 999))
def test_a_seed_torch_takes(seed: int, purpose: str, epoch: int) -> None:
    derived = derive(seed, purpose, epoch)
    assert 0 <= derived < 2**63
    assert generator(seed, purpose, epoch).initial_seed() == derived


def test_seed_purpose_and_epoch_each_matter() -> None:
    found = {derive(seed, purpose, epoch) for seed in range(12) for purpose in ("init", "order") for epoch in range(12)}
    assert len(found) == 288


def test_the_global_generator_has_no_part_in_it() -> None:
    torch.manual_seed(1)
    first = torch.rand(3, generator=generator(0, "order", 1))
    torch.manual_seed(2)
    assert torch.equal(torch.rand(3, generator=generator(0, "order", 1)), first)
