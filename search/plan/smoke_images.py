"""Number of images in a smoke test."""

from __future__ import annotations

from spaces.space import Space
from trainables.cost import network_cost
from trainables.data import Dataset

SMOKE_TEST_IMAGES = (256, 64, 64)  # at most, for training, validation and test
SMOKE_TEST_MACS = 6 * 10**10  # multiply-accumulates of one pass over the images of a split, at most
MIN_SMOKE_TEST_IMAGES = 16  # of each split, also for a network with more multiply-accumulates


def smoke_test_sizes(space: Space, data: Dataset) -> tuple[int, int, int]:
    """Return the number of images of each split in a smoke test.

    A large network gets fewer.
    """
    students = [space.fill(values, space.seeds[0]) for values in space.probes()]
    recipes = [recipe for student in students for recipe in (student, *student.teacher_recipes())]
    networks = {recipe.network.model_dump_json(): recipe.network for recipe in recipes}
    macs = max(1, *(network_cost(network, data).macs for network in networks.values()))
    affordable = max(MIN_SMOKE_TEST_IMAGES, SMOKE_TEST_MACS // macs)
    train, val, test = (min(images, affordable) for images in SMOKE_TEST_IMAGES)
    return train, val, test
