"""Packs: several students trained as one stacked network.

The students of a pack have the same architecture and differ in seed, learning rate, weight decay and the numeric knobs
of their method only. Their weights are stacked, [students, ...], and torch.func.vmap runs one training step for all,
so a small network costs one kernel launch per pack instead of one per student. Batches and teacher outputs are shared.
Each student is the one that `trainables.fit.fit` would train alone, up to rounding.

- pack_key: the students that can share a pack
- fit_pack: the training loop, and removal of students that stopped or diverged
- pack_epoch: one epoch
- stacked_students, stacked_optimizer: weights and optimizer state, [students, ...]

Decision: "A pack is a set of students that differ in numbers only" (docs/decisions.md).
"""
