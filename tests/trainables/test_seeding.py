from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.seeding import derive_seed, seeded_generator

SEEDS = st.integers(0, 2**32)
PURPOSES = st.sampled_from(["init", "order", "dropout", "jitter"])


def test_recorded_seeds() -> None:
    # Published results depend on these values.
    assert derive_seed(0, "init") == 7615695542073086227
    assert derive_seed(7, "order", 3) == 929583480629082613


@given(SEEDS, PURPOSES, st.integers(0, 999))
def test_seeds_are_valid_for_torch(seed: int, purpose: str, epoch: int) -> None:
    derived = derive_seed(seed, purpose, epoch)
    assert 0 <= derived < 2**63
    assert seeded_generator(seed, purpose, epoch).initial_seed() == derived


def test_seed_purpose_and_epoch_matter() -> None:
    seeds = {
        derive_seed(seed, purpose, epoch) for seed in range(12) for purpose in ("init", "order") for epoch in range(12)
    }
    assert len(seeds) == 288


def test_the_global_generator_has_no_effect() -> None:
    torch.manual_seed(1)
    first = torch.rand(3, generator=seeded_generator(0, "order", 1))
    torch.manual_seed(2)
    assert torch.equal(torch.rand(3, generator=seeded_generator(0, "order", 1)), first)
