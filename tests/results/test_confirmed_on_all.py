"""Confirmed students without validation images: `confirm: {train_on: all}`."""

from __future__ import annotations

import pytest

from results import leaderboard
from results.compare.joint_leaderboard import rank_experiments
from results.experiment import load_experiment
from results.export.chosen_students import choose_students, student_recipe
from results.export.model_card import recipe_space
from results.export.verification import require_same_recipe
from results.gain import experiment_gain
from results.markdown import leaderboard_page
from results.protocol import protocol_lines
from results.students import histories
from results.trackers.optuna_trials import knob_distributions, student_trial
from results.verdict import experiment_verdict
from spaces.space import load_space
from trainables.validate import recipe_problems


@pytest.fixture
def experiment(confirmed_on_all):
    return load_experiment(confirmed_on_all)


def test_they_have_no_validation_score_and_the_rank_of_their_exploration(experiment):
    lines = experiment.leaderboard()
    explored = lines[(lines["stage"] == "explore") & (lines["method.alpha"] == 0.5)].set_index("method.temperature")
    assert explored.loc[16, "val_accuracy"] > explored.loc[4, "val_accuracy"]
    ranked = lines[lines["rank"].notna()]
    assert ranked["stage"].tolist() == ["confirm", "confirm"] and ranked["val_accuracy"].isna().all()
    assert ranked["method.temperature"].tolist() == [16, 4] and ranked["rank"].tolist() == [1, 2]
    assert ranked["n"].tolist() == [3, 3] and ranked["test_accuracy"].notna().all()
    assert set(experiment.students["train_on"].dropna()) == {"all"}
    assert set(experiment.students["epochs"][experiment.students["train_on"] == "all"]) == {4}


def test_a_worse_exploration_is_second_whatever_the_test_says(experiment):
    students = experiment.students.copy()
    confirmed = (students["stage"] == "confirm") & (students["method.temperature"] == 4)
    students.loc[confirmed, "test_accuracy"] = 1.0
    lines = leaderboard.build_leaderboard(students)
    assert lines.set_index("rank").loc[1, "method.temperature"] == 16


def test_the_gain_is_that_of_one_configuration_chosen_before(experiment):
    gain, verdict = experiment_gain(experiment), experiment_verdict(experiment)
    assert gain is not None and gain.difference is not None
    assert (gain.candidates, gain.difference.n, gain.baseline_settings) == (1, 3, 1)
    assert set(gain.baselines["train_on"]) == {"all"}
    assert verdict.is_gain and "Student's t" in verdict.test


def test_protocol_and_leaderboard_say_so(experiment):
    (line,) = [line for line in protocol_lines(experiment) if line.startswith("Confirmed")]
    assert "training and validation images together (3,000 + 500)" in line and "trained on the training images" in line
    page = leaderboard_page(experiment)
    first = next(row for row in page.splitlines() if row.startswith("| 1 "))
    assert "| – |" in first and "rank of their val_accuracy in exploration" in page


def test_the_student_of_the_lowest_seed_is_exported(experiment):
    (chosen,) = choose_students(experiment)
    row = experiment.students.set_index("trial").loc[chosen.trial]
    assert (row["stage"], row["seed"], row["method.temperature"]) == ("confirm", 10, 16)
    (alone,) = choose_students(experiment, "baseline")
    assert experiment.students.set_index("trial").loc[alone.trial, "seed"] == 10


def test_its_recipe_is_a_space_that_confirms_it_again(experiment, tmp_path):
    (past,) = [
        past for past in histories(experiment.folder) if past.start["trial"] == choose_students(experiment)[0].trial
    ]
    recipe = student_recipe(experiment, past.start)
    assert recipe.train_on == "all"
    (tmp_path / "recipe.yaml").write_text(recipe_space(recipe, "again"))
    again = load_space(tmp_path / "recipe.yaml", recipe_problems)
    assert again.trains_on_all and again.confirm is not None and again.confirm.seeds == [10] and again.seeds != [10]
    require_same_recipe(tmp_path / "recipe.yaml", recipe)


def test_they_are_no_complete_trials_of_a_study(experiment):
    knobs = knob_distributions(experiment.space)
    trials = [student_trial(past, experiment.space, knobs) for past in histories(experiment.folder)]
    states = {
        trial.user_attrs["stage"]: trial.state.name for trial in trials if trial.user_attrs["status"] == "finished"
    }
    assert states == {"explore": "COMPLETE", "baseline": "PRUNED", "confirm": "PRUNED"}
    assert all(not trial.intermediate_values for trial in trials if trial.user_attrs["stage"] == "confirm")


def test_two_such_experiments_are_ranked_together_by_exploration(experiment):
    joint = rank_experiments([experiment, experiment])
    assert joint["rank"].dropna().tolist() == [1, 1, 3, 3]
    assert joint["method.temperature"].head(4).tolist() == [16, 16, 4, 4]
