from __future__ import annotations

import pytest

from results import experiment as experiments
from results.report.summary import LOST, configuration, describe, summary
from spaces import domain


def of(folder):
    experiment = experiments.load(folder)
    return summary(experiment, experiments.leaderboard(experiment))


def test_what_is_known_of_a_finished_search(full):
    found = of(full)
    assert found.state == "The search is done: 21 of 21 students finished." and not found.running
    assert [fact.name for fact in found.facts] == ["Chosen by validation, test", "Baseline, test", "Teacher, test"]
    assert "temperature 16" in found.facts[0].note and "n = 3" in found.facts[0].note
    assert found.command == "python -m search.run spaces/synthetic.yaml" and ("torch", "2.13.0") in found.versions
    assert found.protocol[0].startswith("Data: mnist5k") and not any("**" in line for line in found.protocol)
    assert found.holes[0] == ("method.alpha", "one of 0, 0.5, 1")


def test_a_winner_that_is_not_above_the_baseline_says_so(full):
    experiment = experiments.load(full)
    lines = experiments.leaderboard(experiment)
    assert LOST not in summary(experiment, lines).facts[0].note
    lines.loc[lines["stage"] == "baseline", "val_accuracy"] = lines["val_accuracy"].max()
    assert summary(experiment, lines).facts[0].note.endswith(LOST)


def test_a_knob_that_several_options_have_is_named_once(full):
    experiment = experiments.load(full)
    twice = [*experiment.space.domains, ("method.temperature", domain.Uniform(1, 8))]

    class Space:
        domains = twice
        search, confirm, name, knobs = (
            getattr(experiment.space, each) for each in ("search", "confirm", "name", "knobs")
        )

    found = summary(experiment._replace(space=Space), experiments.leaderboard(experiment)).holes
    assert [hole.knob for hole in found] == ["method.alpha", "method.temperature"]
    assert found[1].values == "one of 1, 4, 16; or 1 to 8"


def test_a_running_search_says_how_far_it_is(running):
    found = of(running)
    assert found.running and found.facts[0].name == "Chosen by validation so far, test"
    assert found.state == "The search is not done: 2 in training, 14 of 16 students begun are finished."


def test_nothing_begun_has_no_facts_but_the_teacher(empty):
    found = of(empty().folder)
    assert [fact.name for fact in found.facts] == ["Teacher, test"]
    assert found.state.endswith("0 in training, 0 of 0 students begun are finished.")


def test_the_plan_names_search_stopping_and_confirmation(mixed):
    plan = (
        "Algorithm: tpe, 20 trials; early stopping: asha; the best 1 again with 2 fresh seeds. Chosen by: val_accuracy."
    )
    assert of(mixed).plan == plan


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (domain.Choice((1, 2), ("a", 0.5)), "one of a, 0.5"),
        (domain.Uniform(0, 1.5), "0 to 1.5"),
        (domain.LogUniform(1e-4, 0.01), "0.0001 to 0.01, even on a logarithmic scale"),
        (domain.Int(1, 9), "a whole number from 1 to 9"),
    ],
)
def test_domains_in_words(found, words):
    assert describe(found) == words


def test_a_configuration_leaves_out_the_knobs_it_does_not_have(mixed):
    students = experiments.load(mixed).students
    names = ["method", "method.alpha", "train.batch_size"]
    shown = {configuration(student, names) for _, student in students.head(6).iterrows()}
    assert "method hinton, alpha 0.05, batch_size 42" in shown
    assert "method none, batch_size 32" in shown
