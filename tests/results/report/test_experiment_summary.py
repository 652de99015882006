from __future__ import annotations

import pytest

from results import records
from results.experiment import load_experiment
from results.report.experiment_summary import NOT_ABOVE_BASELINE, describe_domain, experiment_summary
from spaces import domain


def of(folder):
    experiment = load_experiment(folder)
    return experiment_summary(experiment, experiment.leaderboard())


def test_summary_of_a_finished_search(full):
    data = of(full)
    assert data.state == "The search is done: 21 students (21 finished)." and not data.running
    assert [fact.name for fact in data.facts] == ["Chosen by validation, test", "Baseline, test", "Teacher, test"]
    assert "temperature 16" in data.facts[0].note and "n = 3" in data.facts[0].note
    assert data.command == "python -m search.run spaces/synthetic.yaml" and ("torch", "2.13.0") in data.versions
    assert data.protocol[0].startswith("Data: mnist5k") and not any("**" in line for line in data.protocol)
    assert data.knobs[0] == ("method.alpha", "one of 0, 0.5, 1")


def test_a_best_configuration_below_the_baseline_is_marked(full):
    experiment = load_experiment(full)
    lines = experiment.leaderboard()
    assert NOT_ABOVE_BASELINE not in experiment_summary(experiment, lines).facts[0].note
    lines.loc[lines["stage"] == "baseline", "val_accuracy"] = lines["val_accuracy"].max()
    assert experiment_summary(experiment, lines).facts[0].note.endswith(NOT_ABOVE_BASELINE)


def test_a_knob_of_several_options_has_one_entry(full):
    experiment = load_experiment(full)
    twice = [*experiment.space.domains, ("method.temperature", domain.Range(1, 8))]

    class Space:
        domains = twice
        search, confirm, name, knobs, trains_on_all = (
            getattr(experiment.space, name) for name in ("search", "confirm", "name", "knobs", "trains_on_all")
        )

    data = experiment_summary(experiment._replace(space=Space), experiment.leaderboard()).knobs
    assert [entry.knob for entry in data] == ["method.alpha", "method.temperature"]
    assert data[1].values == "one of 1, 4, 16; or 1 to 8"


def test_progress_of_a_running_search(running):
    data = of(running)
    assert data.running and data.facts[0].name == "Chosen by validation so far, test"
    numbers = "14 of {} students ended (14 finished), 2 in training"
    assert data.state == f"The search is not done; the same command resumes it: {numbers.format(16)}."
    planned = {"running_since": 1.0, "planned_students": {"explore": 18, "baseline": 3}}
    records.save_environment(running, {**records.read_environment(running), **planned})
    assert of(running).state == f"The search is running: {numbers.format(21)}, 5 not started."


def test_students_stopped_on_purpose_are_counted(broken):
    numbers = "24 students (21 finished, 1 stopped early, 1 diverged, 1 failed)"
    assert of(broken).state == f"The search is done: {numbers}."


def test_before_the_first_student_only_the_teacher_is_shown(empty):
    data = of(empty().folder)
    assert [fact.name for fact in data.facts] == ["Teacher, test"]
    assert data.state.endswith("0 of 0 students ended, 0 in training.")


def test_the_plan_names_search_stopping_and_confirmation(mixed):
    plan = "Algorithm: tpe, 20 trials; early stopping: asha; the best 1 retrained with 2 new seeds."
    assert of(mixed).plan == f"{plan} Chosen by: val_accuracy."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (domain.Choice((1, 2), ("a", 0.5)), "one of a, 0.5"),
        (domain.Range(0, 1.5), "0 to 1.5"),
        (domain.Range(1e-4, 0.01, log=True), "0.0001 to 0.01, log-uniform"),
        (domain.Range(1, 9, integer=True), "an integer from 1 to 9"),
        (domain.Range(1, 9, log=True, integer=True, prior=4), "an integer from 1 to 9, log-uniform, prior 4"),
        (domain.Choice((1, 2), ("a", 0.5), prior="0.5"), "one of a, 0.5, prior 0.5"),
    ],
)
def test_domains_in_words(data, words):
    assert describe_domain(data) == words
