"""Start points are checked against the domains before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from spaces.errors import UserError
from spaces.space import load_space

METHODS = [
    {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": {"loguniform": [1, 16]}},
    {"name": "decoupled", "alpha": {"uniform": [0.1, 1]}, "beta": {"uniform": [1, 8]}, "temperature": 4},
]


@pytest.fixture
def load(tmp_path):
    def loaded(**search: Any):
        tree = {
            "student": {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}},
            "method": {"choice": METHODS},
            "search": {"trials": 20, **search},
        }
        (tmp_path / "space.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
        return load_space(tmp_path / "space.yaml")

    return loaded


def test_lists_are_labels_and_values_may_be_missing(load):
    points = [{"student": {"model": {"hidden": [16]}}}, {"method": {"name": "decoupled", "beta": 2}}]
    space = load(start=points)
    assert space.search.start == [{"student.model.hidden": "[16]"}, {"method": "decoupled", "method.beta": 2}]


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (
            {"method": {"temprature": 4}},
            "method.temprature is not a knob of this space; did you mean method.temperature?",
        ),
        ({"method": {"temperature": 99}}, "method.temperature: found 99, expected a number from 1 to 16"),
        ({"student": {"model": {"hidden": [9]}}}, "student.model.hidden: found the text"),
        ({"method": {"beta": 2}}, "method.beta does not exist with these options; name the option that holds it"),
    ],
)
def test_a_wrong_point_is_named_with_its_place(load, point, message):
    with pytest.raises(UserError, match=rf"search.start.1: {message}"):
        load(start=[{"method": {"temperature": 4}}, point])


def test_at_most_a_fifth_of_the_trials_unless_asked_for(load):
    points = [{"method": {"alpha": 0.1 * place}} for place in range(1, 6)]
    assert len(load(start=points[:4]).search.start) == 4
    with pytest.raises(
        UserError, match="found 5 configurations, expected at most 4 of 20 trials; write start_share: 0"
    ):
        load(start=points)
    assert len(load(start=points, start_share=0.25).search.start) == 5


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"algorithm": "random", "from": ["runs/a"]}, "search.from: random learns from no results"),
        ({"from": []}, "search.from: found"),
        (
            {"start": [{"method": {"alpha": 0.5}}], "algorithm": "grid", "trials": None},
            "search.start: a grid tries every cell",
        ),
    ],
)
def test_parts_that_do_not_go_together(load, search, message):
    with pytest.raises(UserError, match=message):
        load(**search)


def test_a_search_that_learns_from_earlier_experiments_uses_tpe(load):
    search = load(**{"from": ["runs/a"]}).search
    assert (search.algorithm, search.scheduler, search.from_) == ("tpe", "asha", ["runs/a"])
