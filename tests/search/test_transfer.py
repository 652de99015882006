"""Students of earlier experiments in the study of a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results import paths, records
from results.students import histories
from search.algorithms.searcher import StudentSearcher
from search.identity import experiment_identity, record_identity
from search.students.spec import Pack, student_spec
from search.transfer import record_transfer, recorded_transfer, transferred_students
from spaces.errors import UserError

METHOD = {"name": "hinton", "alpha": {"choice": [0.5, 1]}, "temperature": {"choice": [1, 4]}}
WIDER = {"name": "hinton", "alpha": {"uniform": [0.2, 0.9]}, "temperature": {"loguniform": [1, 64]}}


@pytest.fixture
def earlier(space, folder, trained, digits):
    """A finished grid of four students, 0.9 at alpha 0.5 and temperature 4."""
    searched = space(method=METHOD)
    for values in searched.cells():
        accuracy = 0.9 if (values["method.alpha"], values["method.temperature"]) == (0.5, 4) else 0.6
        trained(student_spec(searched, "explore", values, 0, 0), [0.1, 0.2, accuracy])
    record_identity(folder, experiment_identity(searched, digits, {}))
    records.write_file(paths.space_file(folder), searched.dump())
    return folder


@pytest.fixture
def learning(space, earlier):
    def build(**parts: Any):
        search = {"trials": 4, "from": [str(earlier)], **parts.pop("search", {})}
        return space(**{"method": WIDER, "search": search, **parts})

    return build


def test_students_within_the_domains_enter_the_study_and_are_no_results(learning, tmp_path, digits, earlier):
    searched, new = learning(), tmp_path / "new"
    record_transfer(new, transferred_students(searched, experiment_identity(searched, digits, {}), new))
    searcher = StudentSearcher(
        searched,
        [],
        lambda key: None,
        lambda values: replace(student_spec(searched, "explore", values, 0, 0), suggested=values),
        float("inf"),
        lambda students: [Pack((student,)) for student in students],
        transferred=recorded_transfer(new),
    )
    study = searcher.study
    # alpha 1 is outside of the present range
    assert sorted((trial.params["method.alpha"], trial.value) for trial in study.trials) == [(0.5, 0.6), (0.5, 0.9)]
    assert study.best_params == {"method.alpha": 0.5, "method.temperature": 4.0}
    assert searcher.remaining == 4 and not list(histories(new))


def test_a_knob_fixed_earlier_has_its_value(learning, digits, tmp_path):
    searched = learning(train={"epochs": 3, "batch_size": {"choice": [32, 64]}})
    identity = experiment_identity(searched, digits, {})
    values = [past.start["suggested"] for past in transferred_students(searched, identity, tmp_path / "new")]
    assert [value["train.batch_size"] for value in values] == [64, 64]


def test_a_resumed_search_reads_the_recorded_students(learning, digits, tmp_path, earlier):
    searched, new = learning(), tmp_path / "new"
    identity = experiment_identity(searched, digits, {})
    first = transferred_students(searched, identity, new)
    record_transfer(new, first)
    earlier.rename(tmp_path / "moved")
    assert transferred_students(searched, identity, new) == first


def test_other_protocols_are_refused(learning, digits, tmp_path, earlier):
    searched = learning()
    identity = experiment_identity(searched, digits, {})
    with pytest.raises(UserError, match=r"search.from: .*run is of another protocol: plugin file a.py is new"):
        transferred_students(searched, identity | {"plugins": {"a.py": "0123"}}, tmp_path / "new")
    longer = learning(train={"epochs": 4})
    with pytest.raises(UserError, match=r"search.from: .*none of its 4 students is one of this space"):
        transferred_students(longer, identity, tmp_path / "new")
    missing = learning(search={"from": [str(tmp_path / "nothing")]})
    with pytest.raises(UserError, match=r"search.from: .*nothing"):
        transferred_students(missing, identity, tmp_path / "new")
