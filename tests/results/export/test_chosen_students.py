"""The student that is exported is the one asked for, and its title is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from results import students
from results.experiment import load_experiment
from results.export.chosen_students import choose_students, student_recipe
from spaces.errors import UserError


def test_the_best_keeps_its_title_while_it_is_the_best(full: Path) -> None:
    first, second = choose_students(load_experiment(full), top=2)
    assert (first.title, first.remark) == ("the best student by validation", "")
    assert second.title == "rank 2 by validation" and second.trial != first.trial


def test_a_better_student_alone_is_said(full: Path) -> None:
    experiment = load_experiment(full)
    rows = experiment.students.copy()
    rows.loc[rows["stage"] == "baseline", "val_accuracy"] = 0.995
    (best,) = choose_students(experiment._replace(students=rows))
    assert best.title == "the best distilled student by validation; the student alone was better"
    assert "The student alone is better by validation: validation % 99.50, and " in best.remark
    assert best.remark.endswith("--student baseline exports the student alone.")


def test_the_student_alone_is_exported_if_asked_for(full: Path) -> None:
    experiment = load_experiment(full)
    (alone,) = choose_students(experiment, "baseline")
    row = experiment.students.set_index("trial").loc[alone.trial]
    assert row["stage"] == "baseline"
    assert row["val_accuracy"] == experiment.students.query("stage == 'baseline'")["val_accuracy"].max()
    assert alone.title == "the student alone, the best by validation" and not alone.remark


def test_a_student_by_its_key(full: Path) -> None:
    experiment = load_experiment(full)
    trial = str(experiment.students["trial"].iloc[3])
    assert choose_students(experiment, trial)[0].trial == trial
    with pytest.raises(UserError, match="--student nothing: no such student; expected best, baseline or a key"):
        choose_students(experiment, "nothing")
    rows = experiment.students.copy()
    rows.loc[3, "status"] = "diverged"
    with pytest.raises(UserError, match=f"--student {trial}: diverged; only a finished student has weights"):
        choose_students(experiment._replace(students=rows), trial)


def test_the_recipe_of_every_student_is_found_by_its_rows(trained: Path) -> None:
    experiment = load_experiment(trained)
    stages = set()
    for past in students.histories(trained):
        assert student_recipe(experiment, past.start).key() == past.start["trial"]
        stages.add(past.start["stage"])
    assert stages == {"explore", "baseline"}
