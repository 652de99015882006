"""A user's methods: the marked knob gives the baseline at 0, an exponent called alpha does not."""

from __future__ import annotations

import optuna
import pandas
import pytest

from results import paths, records

PLUGIN = """
from torch.nn.functional import cross_entropy

from trainables.knobs import Fraction, TeacherWeight
from trainables.methods import METHODS


def exponent(student, teacher, labels, *, alpha: Fraction):
    return cross_entropy(student.logits, labels, reduction="none") ** (1 + alpha)


def weighted(student, teacher, labels, *, weight: TeacherWeight):
    hard = cross_entropy(student.logits, labels, reduction="none")
    soft = cross_entropy(student.logits, teacher.logits.detach().softmax(-1), reduction="none")
    return weight * soft + (1 - weight) * hard


METHODS["exponent"] = exponent
METHODS["weighted"] = weighted
"""
METHOD = {
    "choice": [
        {"name": "exponent", "alpha": {"choice": [0, 1]}},
        {"name": "weighted", "weight": {"choice": [0, 0.5]}},
    ]
}
KNOBS = ["method", "method.alpha", "method.weight"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def folder(search_here, write, tmp_path_factory):
    """Folder of a search over both methods."""
    home = tmp_path_factory.mktemp("teacher_weight")
    (home / "mine.py").write_text(PLUGIN)
    space = write(home / "mine.yaml", method=METHOD, train={"epochs": 2, "batch_size": 64})
    run = search_here(space, home / "run", "--plugin", home / "mine.py")
    assert run.code == 0, run.output
    return home / "run"


def test_rows(folder):
    table = pandas.read_csv(paths.students_file(folder)).fillna("-")
    students = table.set_index(KNOBS)["stage"].to_dict()
    assert students == {
        ("-", "-", 0.0): "baseline",
        ("exponent", 0.0, "-"): "explore",
        ("exponent", 1.0, "-"): "explore",
        ("weighted", "-", 0.5): "explore",
    }
    assert set(table["status"]) == {"finished"}


def test_exponent_0_is_trained_like_any_other(folder):
    table = pandas.read_csv(paths.students_file(folder))
    exponents, baseline = table[table["method"] == "exponent"], table[table["stage"] == "baseline"]
    assert exponents["teacher_key"].notna().all() and baseline["teacher_key"].isna().all()
    assert exponents["val_loss"].nunique() == 2


def test_record_of_the_experiment(folder):
    assert records.read_environment(folder)["teacher_weights"] == ["method.weight"]
    starts = [records.read_rows(folder, trial)[0] for trial in records.trial_names(folder)]
    assert {tuple(row["teacher_weights"]) for row in starts if row["stage"] == "baseline"} == {("method.weight",)}


def test_optuna_journal(folder):
    backend = optuna.storages.journal.JournalFileBackend(str(paths.journal_file(folder)))
    storage = optuna.storages.JournalStorage(backend)
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    (baseline,) = [trial for trial in trials if trial.user_attrs["stage"] == "baseline"]
    assert baseline.params == {"method.weight": 0}
